#define _GNU_SOURCE /* secure_getenv */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

static const struct command {
	const char *name;
	int (*run)(struct tool *);
	const char *usage, *what;
} commands[] = {
	{ "identity", cmd_identity, "identity IDENTITY", "show who this device is: what its owner enrolls" },
	{ "register", cmd_register, "register IDENTITY --id-scope SCOPE [--state FILE]",
	    "ask DPS which IoT Hub this device belongs to" },
	{ "send", cmd_send, "send IDENTITY [--property K=V]... [--count N] [MESSAGE]",
	    "send telemetry: the message, or a message for each line of standard input" },
	{ "receive", cmd_receive, "receive IDENTITY [--count N]",
	    "receive cloud-to-device messages: each to standard output" },
	{ "enroll", cmd_enroll,
	    "enroll tpm|x509|symmetric|group-x509|group-symmetric --registration-id ID ...\n"
	    "  holdfast enroll list|show|update|delete [--group] [ID [CHANGE]]",
	    "the owner's side: tell DPS about a device or a group, see and change what it knows" },
	{ "key", cmd_key,
	    "key make URI [--type TYPE]\n  holdfast key list URI\n  holdfast key show --key URI [--out FILE]",
	    "keys in a TPM or a token: make one, see which are there, print the public half" },
	{ "csr", cmd_csr, "csr --key URI --subject /CN=NAME [--out FILE]",
	    "a certificate request for a key" },
	{ "cert", cmd_cert, "cert self-signed --key URI --subject /CN=NAME [--days N] [--out FILE]",
	    "a certificate that a key signs for itself" },
	{ "hsm", cmd_hsm, "hsm check URI|LIBRARY [--cert FILE] [--wrong-pin] [--write]",
	    "does such a key, or a custom HSM's library, do all that is needed of it?" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum { IDENTITY = 1, TALK, OTHER };
static const struct option_row {
	const char *name, *arg; /* NULL: takes none; "[X]": may take one */
	int kind;
	const char *what;
} rows[] = {
	{ "tpm", "[TCTI]", IDENTITY,
	    "identity: the TPM behind this TCTI string (device:/dev/tpmrm0, swtpm:path=S)" },
	{ "cert", "FILE", IDENTITY, "identity: certificate (PEM, leaf first), with --key" },
	{ "key", "URI", IDENTITY,
	    "the certificate's private key: a PEM file, tpm2:..., pkcs11:..., engine:..." },
	{ "symmetric-key", "FILE", IDENTITY, "identity: file with the device's key, base64" },
	{ "hsm", "hsm:[PATH]", IDENTITY,
	    "identity: a custom HSM, linked in or a shared object (holdfast-hsm(7))" },
	{ "group-key", "FILE", IDENTITY,
	    "identity: file with a group's key; the device's is derived from it" },
	{ "ek-handle", "HANDLE", IDENTITY, "TPM: endorsement key, 0x81010001" },
	{ "srk-handle", "HANDLE", IDENTITY, "TPM: storage root key, 0x81000001" },
	{ "key-handle", "HANDLE", IDENTITY, "TPM: where the hub's key goes, 0x81000100" },
	{ "owner-auth-file", "FILE", IDENTITY, "TPM: file with the owner hierarchy's password" },
	{ "endorsement-auth-file", "FILE", IDENTITY, "TPM: file with the endorsement hierarchy's password" },
	{ "ek-template", "tcg|sdk", IDENTITY, "TPM: which EK to make when there is none" },
	{ "force", NULL, IDENTITY, "TPM: replace an object at --key-handle that Holdfast did not make" },
	{ "registration-id", "ID", IDENTITY, "the name under which the device is enrolled" },
	{ "id-scope", "SCOPE", TALK, "the DPS instance, such as 0ne00000000" },
	{ "endpoint", "HOST[:PORT]", TALK, "DPS; global.azure-devices-provisioning.net" },
	{ "connect", "HOST:PORT=ADDR:PORT", TALK, "where to really connect for HOST:PORT" },
	{ "transport", "NAME[,NAME]...", TALK,
	    "mqtt, mqtt-ws, amqp, amqp-ws, http, to be tried in turn: mqtt; to DPS for a TPM: http" },
	{ "hub-transport", "NAME[,NAME]...", TALK, "another one to the hub" },
	{ "poll", "SECONDS", TALK, "HTTPS: how often the hub is asked for messages; 1500" },
	{ "proxy", "http://HOST[:PORT]", TALK, "an HTTP proxy; or https_proxy, no_proxy" },
	{ "proxy-auth-file", "FILE", TALK, "file with the proxy's NAME:PASSWORD" },
	{ "early", NULL, TALK, "MQTT, AMQP: say what there is to say without waiting to be let in" },
	{ "trust", "FILE", TALK, "CA certificates that replace the system's" },
	{ "state", "FILE", TALK, "keeps the assignment" },
	{ "payload", "JSON", TALK, "for the allocation webhook" },
	{ "timeout", "SECONDS", TALK, "for the whole of it, 60" },
	{ "hub", "HOST", TALK, "talk to this hub, without asking DPS" },
	{ "device-id", "ID", TALK, "the device's name at the hub (enroll: to be given to it)" },
	{ "property", "K=V", OTHER, "send: an application property; may be repeated" },
	{ "count", "N", OTHER, "send: how often; receive: how many" },
	{ "answer", "WORD", OTHER, "receive: complete (the default), abandon or reject" },
	{ "service", "FILE|-", OTHER,
	    "enroll: file with the service's connection string; or HOLDFAST_SERVICE" },
	{ "group", NULL, OTHER, "enroll list, show, update, delete: groups" },
	{ "etag", "ETAG", OTHER, "enroll update, delete: only if it has still this ETag" },
	{ "keys", NULL, OTHER, "enroll show: with its keys, as JSON" },
	{ "endorsement-key", "BASE64", OTHER, "enroll tpm: as \"holdfast identity\" prints it" },
	{ "type", "TYPE", OTHER, "key make: p256, p384, p521, rsa2048, rsa3072 or rsa4096; p256" },
	{ "subject", "/CN=NAME", OTHER, "csr, cert: whose certificate it is to be" },
	{ "days", "N", OTHER, "cert: how long it is valid, 365" },
	{ "out", "FILE", OTHER, "key show, csr, cert: where the PEM text goes" },
	{ "wrong-pin", NULL, OTHER, "hsm check: try a wrong PIN too, once; a token counts these" },
	{ "write", NULL, OTHER,
	    "hsm check: call a custom HSM's functions that write, too; they may replace its key" },
	{ "json", NULL, OTHER, "results as JSON" },
	{ "quiet", NULL, OTHER, "nothing on standard error but errors" },
	{ "help", NULL, OTHER, "this text" },
	{ "version", NULL, OTHER, "the version" },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
static const char *given[ROWS]; /* on the command line */

static size_t
row_of(const char *name)
{
	size_t i = 0;

	while (i < ROWS && strcmp(rows[i].name, name) != 0)
		i++;
	return i;
}

static const char *
environment(const char *name)
{
	char var[64] = "HOLDFAST_";
	size_t n = strlen(var);

	for (; *name != '\0' && n + 1 < sizeof(var); name++)
		var[n++] =
		    *name == '-' ? '_' : (char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
	var[n] = '\0';
	return secure_getenv(var); /* a key's URI can run code */
}

const char *
tool_given(const struct tool *t, const char *name)
{
	size_t i = row_of(name);

	(void)t;
	return i < ROWS ? given[i] : NULL;
}

const char *
tool_option(const struct tool *t, const char *name)
{
	const char *value = tool_given(t, name);

	return value != NULL ? value : environment(name);
}

/* An identity on the command line leaves those of the environment aside. */
static int
names_identity(size_t i)
{
	const char *n = rows[i].name;

	return strcmp(n, "tpm") == 0 || strcmp(n, "cert") == 0 || strcmp(n, "key") == 0 ||
	       strcmp(n, "symmetric-key") == 0 || strcmp(n, "hsm") == 0 || strcmp(n, "group-key") == 0;
}

int
tool_settings(struct tool *t, int with_identity)
{
	const char *value;
	int own = 0, rc = 0;

	for (size_t i = 0; i < ROWS; i++)
		own |= names_identity(i) && given[i] != NULL;
	for (size_t i = 0; i < ROWS && rc == 0; i++) {
		if (rows[i].kind == OTHER || (rows[i].kind == IDENTITY && !with_identity))
			continue;
		value = own && names_identity(i) ? given[i] : tool_option(t, rows[i].name);
		if (value != NULL)
			rc = hf_set(t->hf, rows[i].name, value);
	}
	return rc;
}

static void
usage(FILE *f)
{
	fputs("holdfast: a cloud identity for this device, rooted in its hardware\n\n", f);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  holdfast %s\n      %s\n", commands[i].usage, commands[i].what);
	fputs(
	    "\nIDENTITY is one of --tpm[=TCTI], --cert FILE --key URI, --hsm HSM, --symmetric-key FILE, --group-key FILE.\n"
	    "Each option may come from the environment: --id-scope is HOLDFAST_ID_SCOPE.\n\n",
	    f);
	for (size_t i = 0; i < ROWS; i++)
		fprintf(f, "  --%s%s%-*s %s\n", rows[i].name,
		    rows[i].arg == NULL	    ? ""
		    : rows[i].arg[0] == '[' ? ""
					    : " ",
		    (int)(38 - strlen(rows[i].name) - (rows[i].arg != NULL && rows[i].arg[0] != '[')),
		    rows[i].arg != NULL ? rows[i].arg : "", rows[i].what);
	fputs(
	    "\nExit status: 0, or what hindered it: 2 arguments, 3 memory, 4 file, 5 key or TPM, 6 network, 7 TLS,\n"
	    "8 identity refused, 9 service failed, 10 protocol, 11 timeout, 12 state, 13 not supported, 1 other.\n",
	    f);
}

static void
talk(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "holdfast: %s\n", line);
}

static int
parse(struct tool *t, int argc, char **argv)
{
	struct option o[ROWS + 1];
	int c, at;

	memset(o, 0, sizeof(o));
	for (size_t i = 0; i < ROWS; i++) {
		o[i].name = rows[i].name;
		o[i].has_arg = rows[i].arg == NULL     ? no_argument
			       : rows[i].arg[0] == '[' ? optional_argument
						       : required_argument;
	}
	while ((c = getopt_long(argc, argv, "", o, &at)) != -1) {
		if (c != 0)
			return fputs("holdfast --help lists the options\n", stderr), 2;
		given[at] = optarg != NULL ? optarg : o[at].has_arg == no_argument ? "1" : "";
		if (strcmp(rows[at].name, "property") != 0)
			continue;
		if (t->properties == TOOL_PROPERTIES)
			return tool_fail(t, HF_ERR_ARGS, "more than %d properties", TOOL_PROPERTIES);
		t->property[t->properties++] = optarg;
	}
	t->json = given[row_of("json")] != NULL;
	t->quiet = given[row_of("quiet")] != NULL;
	t->argc = argc - optind;
	t->argv = argv + optind;
	return 0;
}

int
main(int argc, char **argv)
{
	struct tool t = { 0 };
	const struct command *c = NULL;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = parse(&t, argc, argv);
	if (status != 0)
		return status;
	if (given[row_of("version")] != NULL)
		return puts("holdfast " HF_VERSION) < 0;
	if (given[row_of("help")] != NULL)
		return usage(stdout), 0;
	for (size_t i = 0; i < COMMANDS && t.argc > 0; i++)
		if (strcmp(commands[i].name, t.argv[0]) == 0)
			c = &commands[i];
	if (c == NULL) {
		if (t.argc > 0)
			fprintf(stderr, "holdfast: there is no command called \"%s\"\n\n", t.argv[0]);
		return usage(stderr), 2;
	}
	t.command = c->name;
	t.argc--;
	t.argv++;
	t.hf = hf_new();
	if (t.hf == NULL)
		return tool_fail(&t, HF_ERR_MEMORY, "out of memory");
	if (!t.quiet)
		hf_log(t.hf, talk, NULL);
	status = c->run(&t);
	hf_free(t.hf);
	if (fflush(stdout) != 0 || ferror(stdout))
		return tool_fail(&t, HF_ERR_IO, "the result could not be written to standard output");
	return status;
}
