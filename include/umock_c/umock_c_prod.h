/*
 * Stands in for the header of the same name, for programs that declare functions by its macros. There are no mocks here: what is
 * left is the declaration. Types and names alternate, up to 24 parameters:
 *
 *	MOCKABLE_FUNCTION(, int, add, int, a, int, b);				int add(int a, int b);
 *	MOCKABLE_FUNCTION(, int, none);						int none(void);
 *	MOCKABLE_FUNCTION_WITH_RETURNS(, int, add, int, a, int, b)(0, 1);	the same; the second parentheses are for mocks
 *
 * What stands first (`modifiers`) comes between the return type and the name.
 */
#ifndef UMOCK_C_UMOCK_C_PROD_H
#define UMOCK_C_UMOCK_C_PROD_H
#include "azure_macro_utils/macro_utils.h"

#define MOCKABLE_FUNCTION(modifiers, ...)	       UMOCK_DECLARE_(modifiers, MU_COUNT_ARG(__VA_ARGS__), __VA_ARGS__)
#define MOCKABLE_FUNCTION_WITH_RETURNS(modifiers, ...) MOCKABLE_FUNCTION(modifiers, __VA_ARGS__) UMOCK_FORGET_
#define MOCKABLE_FUNCTION_WITH_CODE(modifiers, ...)    MOCKABLE_FUNCTION(modifiers, __VA_ARGS__)
#define MOCKABLE_FUNCTION_WITH_CODE_END

#define UMOCK_FORGET_(...)
#define UMOCK_DECLARE_(modifiers, count, ...)  MU_C2(UMOCK_, count)(modifiers, __VA_ARGS__)
#define UMOCK_2(modifiers, result, name)       result modifiers name(void)
#define UMOCK_ARGS_2(type, name)	       type name
#define UMOCK_ARGS_4(type, name, ...)	       type name, UMOCK_ARGS_2(__VA_ARGS__)
#define UMOCK_ARGS_6(type, name, ...)	       type name, UMOCK_ARGS_4(__VA_ARGS__)
#define UMOCK_ARGS_8(type, name, ...)	       type name, UMOCK_ARGS_6(__VA_ARGS__)
#define UMOCK_ARGS_10(type, name, ...)	       type name, UMOCK_ARGS_8(__VA_ARGS__)
#define UMOCK_ARGS_12(type, name, ...)	       type name, UMOCK_ARGS_10(__VA_ARGS__)
#define UMOCK_ARGS_14(type, name, ...)	       type name, UMOCK_ARGS_12(__VA_ARGS__)
#define UMOCK_ARGS_16(type, name, ...)	       type name, UMOCK_ARGS_14(__VA_ARGS__)
#define UMOCK_ARGS_18(type, name, ...)	       type name, UMOCK_ARGS_16(__VA_ARGS__)
#define UMOCK_ARGS_20(type, name, ...)	       type name, UMOCK_ARGS_18(__VA_ARGS__)
#define UMOCK_ARGS_22(type, name, ...)	       type name, UMOCK_ARGS_20(__VA_ARGS__)
#define UMOCK_ARGS_24(type, name, ...)	       type name, UMOCK_ARGS_22(__VA_ARGS__)
#define UMOCK_ARGS_26(type, name, ...)	       type name, UMOCK_ARGS_24(__VA_ARGS__)
#define UMOCK_ARGS_28(type, name, ...)	       type name, UMOCK_ARGS_26(__VA_ARGS__)
#define UMOCK_ARGS_30(type, name, ...)	       type name, UMOCK_ARGS_28(__VA_ARGS__)
#define UMOCK_ARGS_32(type, name, ...)	       type name, UMOCK_ARGS_30(__VA_ARGS__)
#define UMOCK_ARGS_34(type, name, ...)	       type name, UMOCK_ARGS_32(__VA_ARGS__)
#define UMOCK_ARGS_36(type, name, ...)	       type name, UMOCK_ARGS_34(__VA_ARGS__)
#define UMOCK_ARGS_38(type, name, ...)	       type name, UMOCK_ARGS_36(__VA_ARGS__)
#define UMOCK_ARGS_40(type, name, ...)	       type name, UMOCK_ARGS_38(__VA_ARGS__)
#define UMOCK_ARGS_42(type, name, ...)	       type name, UMOCK_ARGS_40(__VA_ARGS__)
#define UMOCK_ARGS_44(type, name, ...)	       type name, UMOCK_ARGS_42(__VA_ARGS__)
#define UMOCK_ARGS_46(type, name, ...)	       type name, UMOCK_ARGS_44(__VA_ARGS__)
#define UMOCK_ARGS_48(type, name, ...)	       type name, UMOCK_ARGS_46(__VA_ARGS__)
#define UMOCK_4(modifiers, result, name, ...)  result modifiers name(UMOCK_ARGS_2(__VA_ARGS__))
#define UMOCK_6(modifiers, result, name, ...)  result modifiers name(UMOCK_ARGS_4(__VA_ARGS__))
#define UMOCK_8(modifiers, result, name, ...)  result modifiers name(UMOCK_ARGS_6(__VA_ARGS__))
#define UMOCK_10(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_8(__VA_ARGS__))
#define UMOCK_12(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_10(__VA_ARGS__))
#define UMOCK_14(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_12(__VA_ARGS__))
#define UMOCK_16(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_14(__VA_ARGS__))
#define UMOCK_18(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_16(__VA_ARGS__))
#define UMOCK_20(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_18(__VA_ARGS__))
#define UMOCK_22(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_20(__VA_ARGS__))
#define UMOCK_24(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_22(__VA_ARGS__))
#define UMOCK_26(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_24(__VA_ARGS__))
#define UMOCK_28(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_26(__VA_ARGS__))
#define UMOCK_30(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_28(__VA_ARGS__))
#define UMOCK_32(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_30(__VA_ARGS__))
#define UMOCK_34(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_32(__VA_ARGS__))
#define UMOCK_36(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_34(__VA_ARGS__))
#define UMOCK_38(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_36(__VA_ARGS__))
#define UMOCK_40(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_38(__VA_ARGS__))
#define UMOCK_42(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_40(__VA_ARGS__))
#define UMOCK_44(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_42(__VA_ARGS__))
#define UMOCK_46(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_44(__VA_ARGS__))
#define UMOCK_48(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_46(__VA_ARGS__))
#define UMOCK_50(modifiers, result, name, ...) result modifiers name(UMOCK_ARGS_48(__VA_ARGS__))

#endif
