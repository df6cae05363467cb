#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "make_api.h"

static void
paths_and_methods(void **state)
{
	struct made *m = *state;
	char long_id[300];

	expect(m, "GET", "/enrollments/dev", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?api-version=", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?api-version=soon", NULL, 400, "400001");
	expect(m, "GET", "/enrollments/dev?x=1&API-VERSION=2025-07-01-preview", NULL, 404, "404201");
	expect(m, "GET", "/" V, NULL, 404, "404000");
	expect(m, "GET", "/nothing/here" V, NULL, 404, "404000");
	expect(m, "GET", "/enrollments/dev/nothing" V, NULL, 404, "404000");
	expect(m, "POST", "/enrollments/dev/attestationmechanism/more" V, NULL, 404, "404000");
	expect(m, "PUT", "/enrollments" V, with_keys(), 405, "405000");
	expect(m, "PUT", "/enrollments/" V, with_keys(), 405, "405000");
	expect(m, "PATCH", "/enrollments/dev" V, NULL, 405, "405000");
	expect(m, "PUT", "/registrations/dev" V, with_keys(), 405, "405000");
	expect(m, "GET", "/enrollments/%zz" V, NULL, 404, "404000");
	expect(m, "GET", "/enrollments/a%00b" V, NULL, 404, "404000");
	expect(m, "PUT", "/enrollments/a%3Ab" V, with_keys(), 200, NULL);
	expect(m, "GET", "/enrollments/a:b" V, NULL, 200, NULL);
	memset(long_id, 'x', sizeof long_id);
	memcpy(long_id, "/enrollments/", 13);
	strcpy(long_id + 200, V);
	expect(m, "GET", long_id, NULL, 404, "404000");
}

static void
broken_registry(void **state)
{
	struct made *m = *state;

	registry_operation_put(m->e.registry, NULL, 0, json_null(), &m->err);
	expect(m, "PUT", "/enrollments/dev" V, with_keys(), 500, "500001");
	err_clear(&m->err);
	assert_int_equal(registry_commit(m->e.registry, &m->err), HF_ERR_IO);
	expect(m, "GET", "/enrollments/dev" V, NULL, 404, "404201");
}

int
main(void)
{
#define MADE(f) cmocka_unit_test_setup_teardown(f, open_made, close_made)
	const struct CMUnitTest tests[] = {
		MADE(paths_and_methods),
		MADE(broken_registry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
