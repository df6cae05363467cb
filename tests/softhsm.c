#define _XOPEN_SOURCE 700
#include "softhsm.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int
shell(const char *dir, const char *line)
{
	char all[1200], said[300];
	FILE *f;
	int c;

	snprintf(all, sizeof all, "%s >%s/said 2>&1", line, dir);
	if (system(all) == 0)
		return 0;
	fprintf(stderr, "%s:\n", line);
	snprintf(said, sizeof said, "%s/said", dir);
	f = fopen(said, "r");
	while (f && (c = fgetc(f)) != EOF)
		fputc(c, stderr);
	if (f)
		fclose(f);
	return -1;
}

int
softhsm_start(const char *dir)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof path, "%s/tokens", dir);
	if (mkdir(path, 0700) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/softhsm2.conf", dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fprintf(f, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", dir);
	fclose(f);
	return setenv("SOFTHSM2_CONF", path, 1);
}

int
softhsm_token(const char *dir, const char *label)
{
	char line[300];

	snprintf(line, sizeof line, "softhsm2-util --init-token --free --label %s --pin %s --so-pin 567890",
	    label, SOFTHSM_PIN);
	return shell(dir, line);
}

int
softhsm_tool(const char *dir, const char *fmt, ...)
{
	char args[600], line[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof args, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "pkcs11-tool --module %s --login --pin %s %s", SOFTHSM_MODULE,
	    SOFTHSM_PIN, args);
	return shell(dir, line);
}

int
softhsm_public(const char *dir, const char *which, const char *path)
{
	char line[900];

	snprintf(line, sizeof line,
	    "PKCS11_MODULE_PATH=%s openssl pkey -engine pkcs11 -inform engine -pubin -in 'pkcs11:%s;type=public?pin-value=%s' -pubout -out %s",
	    SOFTHSM_MODULE, which, SOFTHSM_PIN, path);
	return shell(dir, line);
}

static int
drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void
softhsm_remove(const char *dir)
{
	nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
}
