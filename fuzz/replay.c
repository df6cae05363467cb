/* In libFuzzer's place: each file that is named is given to the harness once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static int
replay(const char *path)
{
	static char big[1 << 16];
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	size_t n;

	if (f == NULL)
		return -1;
	n = fread(big, 1, sizeof big, f);
	fclose(f);
	if ((p = malloc(n + 1)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)big[i];
	(void)LLVMFuzzerTestOneInput(p, n);
	free(p);
	return 0;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	return 0;
}
