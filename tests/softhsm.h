/* SoftHSM for a test: a token directory of its own, which this process and those that it starts see by SOFTHSM2_CONF. */
#ifndef TESTS_SOFTHSM_H
#define TESTS_SOFTHSM_H
#define SOFTHSM_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define SOFTHSM_PIN    "1234"
int softhsm_start(const char *dir);		       /* dir: absolute, is there. 0 or -1 */
int softhsm_token(const char *dir, const char *label); /* a new token. 0 or -1 */
int softhsm_tool(
    const char *dir, const char *fmt, ...) /* pkcs11-tool at it, logged in. 0, or -1: what it said is told */
    __attribute__((format(printf, 2, 3)));
/* The public key of token and object as libp11 sees it ("token=line7;object=dev"), into a PEM file. 0 or -1 */
int softhsm_public(const char *dir, const char *which, const char *path);
void softhsm_remove(const char *dir); /* all of the folder */
#endif
