#define _GNU_SOURCE /* secure_getenv */
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/ui.h>
#include "base/file.h"
#include "base/str.h"
#include "hsm/uri.h"

enum { SECRET_MAX = 4096, PROMPT_MAX = 256 };

static int
from_fd(struct buf *b, const char *number, const char *what, struct hf_error *err)
{
	char path[40];
	uint64_t fd;

	if (str_u64(number, strlen(number), 65535, &fd) < 0)
		return err_set(err, HF_ERR_ARGS, "%s: \"fd:%.20s\" is not the number of a file descriptor",
		    what, number);
	(void)str_fmt(path, sizeof path, "/dev/fd/%u", (unsigned)fd);
	return file_read(b, path, SECRET_MAX, what, err);
}

/* systemd.exec(5), LoadCredential= */
static int
from_credential(struct buf *b, const char *name, const char *what, struct hf_error *err)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[512];

	if (!folder)
		return err_set(err, HF_ERR_ARGS,
		    "%s: there are no credentials (CREDENTIALS_DIRECTORY is not set); a systemd service gets \"%s\" by LoadCredential=",
		    what, name);
	if (!*name || strchr(name, '/') || str_fmt(path, sizeof path, "%s/%s", folder, name) < 0)
		return err_set(err, HF_ERR_ARGS, "%s: \"%s\" is not the name of a credential", what, name);
	return file_read(b, path, SECRET_MAX, what, err);
}

static int
from_prompt(struct buf *b, const char *what, struct hf_error *err)
{
	char answer[PROMPT_MAX] = "", question[200];
	UI *ui = UI_new();
	int rc;

	if (!ui || str_fmt(question, sizeof question, "%.180s: ", what) < 0) {
		rc = err_memory(err);
		goto fail;
	}
	if (UI_add_input_string(ui, question, 0, answer, 0, sizeof answer - 1) < 0 || UI_process(ui) != 0)
		rc = err_set(err, HF_ERR_IO,
		    "%s: there is no terminal to ask on; name a file, fd:N or cred:NAME instead of prompt:",
		    what);
	else
		rc = buf_puts(b, answer) < 0 ? err_memory(err) : 0;
fail:
	OPENSSL_cleanse(answer, sizeof answer);
	UI_free(ui);
	return rc;
}

/* The last newline does not count. What is left is a string. */
static int
trim(struct buf *b, const char *what, struct hf_error *err)
{
	if (buf_size(b) > 0 && b->p[b->len - 1] == '\n')
		b->len--;
	if (buf_size(b) > 0 && memchr(buf_data(b), 0, buf_size(b)))
		return err_set(err, HF_ERR_ARGS, "%s: there is a zero byte in it", what);
	return buf_str(b) ? 0 : err_memory(err);
}

int
secret_get(struct buf *b, const char *source, const char *what, struct hf_error *err)
{
	int rc;

	if (strncmp(source, "fd:", 3) == 0)
		rc = from_fd(b, source + 3, what, err);
	else if (strncmp(source, "cred:", 5) == 0)
		rc = from_credential(b, source + 5, what, err);
	else if (strcmp(source, "prompt:") == 0)
		rc = from_prompt(b, what, err);
	else if (*source == '|')
		rc = err_set(err, HF_ERR_UNSUPPORTED,
		    "%s: commands are not run for it; name a file, fd:N, cred:NAME or prompt:", what);
	else
		rc = file_read(
		    b, strncmp(source, "file:", 5) == 0 ? source + 5 : source, SECRET_MAX, what, err);
	if (rc == 0)
		rc = trim(b, what, err);
	if (rc < 0)
		buf_free(b);
	return rc;
}

int
secret_of_uri(struct buf *b, const struct uri *u, const char *source, const char *value, const char *what,
    const struct log *log, struct hf_error *err)
{
	const char *where = uri_query(u, source), *plain = uri_query(u, value);
	int rc;

	if (where && plain)
		return err_set(err, HF_ERR_ARGS, "%s: URI: %s and %s are both given; keep %s", u->scheme,
		    source, value, source);
	if (where)
		return (rc = secret_get(b, where, what, err)) < 0 ? rc : 1;
	if (!plain)
		return 0;
	if (log)
		log_line(log, "warning: the %s stands in a URI, where others can see it; %s=FILE is safer",
		    what, source);
	return buf_puts(b, plain) < 0 || !buf_str(b) ? err_memory(err) : 1;
}
