#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include "base/b64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "process.h"

void
config_init(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->retry_after = 3;
	c->mqtt_port = 8883;
	c->amqp_port = 5671;
	c->https_port = 443;
	str_fmt(c->bind, sizeof(c->bind), "127.0.0.1");
	str_fmt(c->service_policy, sizeof(c->service_policy), "provisioningserviceowner");
	str_fmt(c->hub_policy, sizeof(c->hub_policy), "iothubowner");
}

void
config_fini(struct config *c)
{
	for (size_t i = 0; i < c->hubs; i++)
		str_free(&c->hub[i]);
	for (size_t i = 0; i < c->dps_names; i++)
		str_free(&c->dps_name[i]);
	OPENSSL_cleanse(c, sizeof(*c));
}

static int
is_address(const char *s)
{
	uint8_t a[16];

	return inet_pton(AF_INET, s, a) == 1 || inet_pton(AF_INET6, s, a) == 1;
}

static int
is_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 253 || s[0] == '-' || s[0] == '.' || s[n - 1] == '.')
		return 0;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n && strstr(s, "..") == NULL;
}

static int
add_name(char **list, size_t *count, const char *name, const char *what, struct hf_error *err)
{
	char low[256];
	size_t n;

	if (strlen(name) >= sizeof(low))
		return err_set(err, HF_ERR_ARGS, "the name of a %s is too long: %.40s...", what, name);
	for (n = 0; name[n] != '\0'; n++)
		low[n] = (char)tolower((unsigned char)name[n]);
	low[n] = '\0';
	if (!is_name(low) && !is_address(low))
		return err_set(err, HF_ERR_ARGS,
		    "\"%s\" cannot be the name of a %s: it is neither a host name nor an address", name,
		    what);
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i], low) == 0)
			return 0;
	if (*count == MAX_NAMES)
		return err_set(err, HF_ERR_ARGS, "more than %d names of a %s", MAX_NAMES, what);
	if (str_set(&list[*count], low) < 0)
		return err_memory(err);
	++*count;
	return 0;
}

int
config_add_hub(struct config *c, const char *name, struct hf_error *err)
{
	return add_name(c->hub, &c->hubs, name, "hub", err);
}

int
config_add_dps(struct config *c, const char *name, struct hf_error *err)
{
	int r;

	if (c->dps_names == 0 &&
	    ((r = add_name(c->dps_name, &c->dps_names, DPS_HOST, "DPS", err)) < 0 ||
		(r = add_name(c->dps_name, &c->dps_names, "localhost", "DPS", err)) < 0 ||
		(r = add_name(c->dps_name, &c->dps_names, "127.0.0.1", "DPS", err)) < 0))
		return r;
	return name ? add_name(c->dps_name, &c->dps_names, name, "DPS", err) : 0;
}

static int
check_nearest(const struct config *c, struct hf_error *err)
{
	for (size_t i = 0; i < c->hubs; i++)
		if (str_eqi(c->hub[i], c->nearest))
			return 0;
	return c->nearest[0] == '\0'
		   ? 0
		   : err_set(err, HF_ERR_ARGS, "--nearest %s is none of the hubs", c->nearest);
}

static int
default_names(struct config *c, struct hf_error *err)
{
	int r;

	if ((r = config_add_dps(c, NULL, err)) < 0)
		return r;
	if (c->hubs == 0 &&
	    ((r = config_add_hub(c, "127.0.0.2", err)) < 0 || (r = config_add_hub(c, "127.0.0.3", err)) < 0))
		return r;
	return check_nearest(c, err);
}

void
config_path(const struct config *c, const char *file, char dst[CONFIG_PATH])
{
	str_fmt(dst, CONFIG_PATH, "%s/%s", c->data, file);
}

int
config_is_loopback(const char *address)
{
	uint8_t a[16];

	if (inet_pton(AF_INET, address, a) == 1)
		return a[0] == 127;
	return strcmp(address, "::1") == 0;
}

const char *
config_address(const struct config *c, const char *name)
{
	int any = strcmp(c->bind, "0.0.0.0") == 0;

	if ((any || config_is_loopback(c->bind)) && is_address(name) && config_is_loopback(name))
		return name;
	return any ? "127.0.0.1" : strcmp(c->bind, "::") == 0 ? "::1" : c->bind;
}

static int
open_folder(struct config *c, struct hf_error *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (mkdir(c->data, 0700) < 0 && errno != EEXIST)
		return err_sys(err, HF_ERR_IO, "making the data folder %s", c->data);
	if (realpath(c->data, path) == NULL || stat(path, &st) < 0)
		return err_sys(err, HF_ERR_IO, "looking at the data folder %s", c->data);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, HF_ERR_ARGS, "the data folder %s is not a folder", path);
	if ((st.st_mode & 077) != 0)
		return err_set(err, HF_ERR_ARGS,
		    "the data folder %s is open to others (mode %03o): name one that does not exist yet, or say chmod 700 %s",
		    path, (unsigned)(st.st_mode & 0777), path);
	if (str_fmt(c->data, sizeof(c->data), "%s", path) < 0)
		return err_set(err, HF_ERR_ARGS, "the data folder's path is too long: %s", path);
	return 0;
}

static int
lock_folder(const struct config *c, int *lock, struct hf_error *err)
{
	struct flock mine = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, other = mine;
	char path[CONFIG_PATH];
	int fd;

	config_path(c, "lock", path);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return err_sys(err, HF_ERR_IO, "opening the lock file %s", path);
	if (fcntl(fd, F_SETLK, &mine) == 0) {
		*lock = fd;
		return 0;
	}
	if ((errno == EACCES || errno == EAGAIN) && fcntl(fd, F_GETLK, &other) == 0)
		err_set(err, HF_ERR_STATE,
		    "another emulator (process %d) works with the data folder %s: end it, or name another"
		    " folder with --data",
		    (int)other.l_pid, c->data);
	else
		err_sys(err, HF_ERR_IO, "locking %s", path);
	close(fd);
	return err->code;
}

static int
random_key(char dst[96], struct hf_error *err)
{
	struct buf text = { 0 };
	uint8_t key[32];
	int r;

	if (RAND_bytes(key, sizeof(key)) != 1)
		return err_ssl(err, HF_ERR_OTHER, "making a service key");
	r = b64_put(&text, key, sizeof(key));
	if (r == 0)
		r = str_copy(dst, 96, buf_data(&text), buf_size(&text));
	OPENSSL_cleanse(key, sizeof(key));
	buf_free(&text);
	return r < 0 ? err_memory(err) : 0;
}

static int
make(struct config *c, const char *path, struct hf_error *err)
{
	struct buf text = { 0 };
	uint8_t dice[8];
	uint64_t n;
	int r;

	if (RAND_bytes(dice, sizeof(dice)) != 1)
		return err_ssl(err, HF_ERR_OTHER, "making an ID scope");
	memcpy(&n, dice, sizeof(n));
	str_fmt(c->scope, sizeof(c->scope), "0ne%08u", (unsigned)(n % 100000000));
	if ((r = random_key(c->service_key, err)) < 0 || (r = random_key(c->hub_key, err)) < 0)
		return r;
	r = buf_fmt(&text, "{\n\t\"scope\": \"%s\",\n\t\"serviceKey\": \"%s\",\n\t\"hubKey\": \"%s\"\n}\n",
	    c->scope, c->service_key, c->hub_key);
	r = r < 0 ? err_memory(err)
		  : file_replace(path, buf_data(&text), buf_size(&text), "emulator's config", err);
	buf_free(&text);
	return r;
}

static int
read_kept(struct config *c, const char *path, struct hf_error *err)
{
	struct buf text = { 0 };
	json_t *kept = NULL;
	int r;

	if ((r = file_read(&text, path, 65536, "emulator's config", err)) < 0)
		goto fail;
	kept = js_parse(buf_data(&text), buf_size(&text), path, err);
	if (kept == NULL) {
		r = err->code;
		goto fail;
	}
	if (str_fmt(c->scope, sizeof(c->scope), "%s", js_str(kept, "scope", "")) < 0 || c->scope[0] == '\0' ||
	    str_fmt(c->service_key, sizeof(c->service_key), "%s", js_str(kept, "serviceKey", "")) < 0 ||
	    c->service_key[0] == '\0' ||
	    str_fmt(c->hub_key, sizeof(c->hub_key), "%s", js_str(kept, "hubKey", "")) < 0 ||
	    c->hub_key[0] == '\0')
		r = err_set(err, HF_ERR_STATE,
		    "%s lacks scope, serviceKey or hubKey: put it right, or begin with another folder", path);
fail:
	json_decref(kept);
	buf_free(&text);
	return r;
}

int
config_open(struct config *c, int *lock, struct hf_error *err)
{
	char path[CONFIG_PATH];
	int r;

	*lock = -1;
	if ((r = default_names(c, err)) < 0 || (r = open_folder(c, err)) < 0 ||
	    (r = lock_folder(c, lock, err)) < 0)
		return r;
	config_path(c, "config.json", path);
	r = file_exists(path) ? read_kept(c, path, err) : make(c, path, err);
	if (r < 0) {
		close(*lock);
		*lock = -1;
	}
	return r;
}
