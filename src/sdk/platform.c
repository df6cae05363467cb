#include "azure_c_shared_utility/platform.h"

#include <sys/utsname.h>

#include "iothub.h"
#include "iothub_client_version.h"

int
platform_init(void)
{
	return 0;
}

void
platform_deinit(void)
{
}

STRING_HANDLE
platform_get_platform_info(PLATFORM_INFO_OPTION options)
{
	struct utsname u;

	(void)options;
	return uname(&u) == 0 ? STRING_construct_sprintf("(native; %s; %s)", u.sysname, u.machine) : NULL;
}

int
IoTHub_Init(void)
{
	return 0;
}

void
IoTHub_Deinit(void)
{
}

const char *
IoTHubClient_GetVersionString(void)
{
	return IOTHUB_SDK_VERSION;
}
