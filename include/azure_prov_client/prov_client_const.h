/* Words of DPS, for programs that read its answers themselves. */
#ifndef AZURE_PROV_CLIENT_PROV_CLIENT_CONST_H
#define AZURE_PROV_CLIENT_PROV_CLIENT_CONST_H

#define PROV_DEVICE_CLIENT_VERSION                                                                           \
	"1.15.0" /* the SDK whose interface this is; Holdfast's own version is HF_VERSION */

#define PROV_ASSIGNED_STATUS   "assigned"
#define PROV_ASSIGNING_STATUS  "assigning"
#define PROV_UNASSIGNED_STATUS "unassigned"
#define PROV_DISABLE_STATUS    "disabled"
#define RETRY_AFTER_KEY_VALUE  "retry-after"
#define PROV_API_VERSION       "2021-06-01"
#define PROV_GET_THROTTLE_TIME 1 /* seconds */

#endif
