/* What the commands share: options (command line, then environment), output, the device they work with. */
#ifndef TOOL_H
#define TOOL_H
#include <jansson.h>
#include "holdfast.h"

#define TOOL_PROPERTIES 64
struct tool {
	const char *command;
	struct hf *hf;
	int argc; /* operands */
	char **argv;
	int json, quiet;
	const char *property[TOOL_PROPERTIES]; /* --property, in order */
	size_t properties;
};
/* An option's value: from the command line, else from HOLDFAST_NAME; NULL when neither gives one. */
const char *tool_option(const struct tool *, const char *name);
const char *tool_given(const struct tool *, const char *name); /* from the command line alone */
/* Hands the options that the library knows to it: those of the conversation, and of the identity. 0 or the error. */
int tool_settings(struct tool *, int with_identity);
/* Complains on standard error, in JSON too when that is asked for; answers the exit status for this code. */
int tool_error(const struct tool *, const struct hf_error *);
int tool_fail(const struct tool *, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int tool_hf_fail(const struct tool *); /* the same with hf_error() */
/* Prints one result: as a JSON object, or as aligned lines of its string members. Takes the object. */
int tool_print(const struct tool *, json_t *);
/* The whole of a small text file ("-": standard input), without the white space at its end. */
char *tool_read(const struct tool *, const char *path, const char *what, int *status);
void tool_forget(char *); /* wipes and frees; NULL is fine */
/* A PEM text that free() frees: into the file of --out, as a whole or not at all, or printed; with --json as the member `name`. */
int tool_pem(const struct tool *, const char *name, char *pem);
/* A number, or an error said. */
int tool_number(const struct tool *, const char *name, const char *value, long max, long *out);

/* enrolled.c: enroll list, show, update, delete. */
int enrolled_is(const struct tool *); /* is it one of these? */
int enrolled(struct tool *, const char *service);

int cmd_identity(struct tool *);
int cmd_register(struct tool *);
int cmd_send(struct tool *);
int cmd_receive(struct tool *);
int cmd_enroll(struct tool *);
int cmd_key(struct tool *);
int cmd_csr(struct tool *);
int cmd_cert(struct tool *);
int cmd_hsm(struct tool *);
#endif
