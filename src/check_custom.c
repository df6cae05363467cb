#include "check.h"

void
check_custom(struct check *c)
{
	(void)c;
}
