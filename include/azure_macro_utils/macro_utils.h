/*
 * The macros that programs written for azure-iot-sdk-c use on enumerations. An enumeration is written once, as a list:
 *
 *	#define COLOUR_VALUES RED, GREEN
 *	MU_DEFINE_ENUM_WITHOUT_INVALID(COLOUR, COLOUR_VALUES);		in a header: the type, RED = 0
 *	MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(COLOUR, COLOUR_VALUES)	in one source: the names
 *	puts(MU_ENUM_TO_STRING(COLOUR, c));				NULL when c is none of them
 *
 * MU_DEFINE_ENUM() and MU_DEFINE_ENUM_STRINGS() put COLOUR_INVALID = 0 before the list.
 *
 * The names of the library's own enumerations are in the library, but for PROV_DEVICE_RESULT and PROV_DEVICE_REG_STATUS: a program
 * that wants those defines them itself.
 */
#ifndef AZURE_MACRO_UTILS_MACRO_UTILS_H
#define AZURE_MACRO_UTILS_MACRO_UTILS_H
#include <stddef.h>

#define MU_C1_(x)	 x
#define MU_C2_(x, y)	 x##y
#define MU_C1(x)	 MU_C1_(x)
#define MU_C2(x, y)	 MU_C2_(x, y)
#define MU_TOSTRING_(x)	 #x
#define MU_TOSTRING(x)	 MU_TOSTRING_(x)
#define MU_FAILURE	 __LINE__ /* "not 0": what a function answers when it did not work */
#define MU_UNUSED_VAR(x) (void)(x)

/* How many arguments these are: 1 to 64. */
#define MU_COUNT_ARG(...)                                                                                    \
	MU_COUNT_ARG_(__VA_ARGS__, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47,   \
	    46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23,  \
	    22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define MU_COUNT_ARG_(a64, a63, a62, a61, a60, a59, a58, a57, a56, a55, a54, a53, a52, a51, a50, a49, a48,   \
    a47, a46, a45, a44, a43, a42, a41, a40, a39, a38, a37, a36, a35, a34, a33, a32, a31, a30, a29, a28, a27, \
    a26, a25, a24, a23, a22, a21, a20, a19, a18, a17, a16, a15, a14, a13, a12, a11, a10, a9, a8, a7, a6, a5, \
    a4, a3, a2, a1, n, ...)                                                                                  \
	n

/* MU_FOR_EACH_1(X, a, b) is X(a) X(b); the others hand X one fixed argument first, or take the arguments by twos. */
#define MU_FOR_EACH_1(X, ...)		MU_C2(MU_EACH_1_, MU_COUNT_ARG(__VA_ARGS__))(X, __VA_ARGS__)
#define MU_FOR_EACH_1_KEEP_1(X, k, ...) MU_C2(MU_KEEP_1_, MU_COUNT_ARG(__VA_ARGS__))(X, k, __VA_ARGS__)
#define MU_FOR_EACH_2(X, ...)		MU_C2(MU_EACH_2_, MU_COUNT_ARG(__VA_ARGS__))(X, __VA_ARGS__)
#define MU_EACH_1_1(X, a)		X(a)
#define MU_EACH_1_2(X, a, ...)		X(a) MU_EACH_1_1(X, __VA_ARGS__)
#define MU_EACH_1_3(X, a, ...)		X(a) MU_EACH_1_2(X, __VA_ARGS__)
#define MU_EACH_1_4(X, a, ...)		X(a) MU_EACH_1_3(X, __VA_ARGS__)
#define MU_EACH_1_5(X, a, ...)		X(a) MU_EACH_1_4(X, __VA_ARGS__)
#define MU_EACH_1_6(X, a, ...)		X(a) MU_EACH_1_5(X, __VA_ARGS__)
#define MU_EACH_1_7(X, a, ...)		X(a) MU_EACH_1_6(X, __VA_ARGS__)
#define MU_EACH_1_8(X, a, ...)		X(a) MU_EACH_1_7(X, __VA_ARGS__)
#define MU_EACH_1_9(X, a, ...)		X(a) MU_EACH_1_8(X, __VA_ARGS__)
#define MU_EACH_1_10(X, a, ...)		X(a) MU_EACH_1_9(X, __VA_ARGS__)
#define MU_EACH_1_11(X, a, ...)		X(a) MU_EACH_1_10(X, __VA_ARGS__)
#define MU_EACH_1_12(X, a, ...)		X(a) MU_EACH_1_11(X, __VA_ARGS__)
#define MU_EACH_1_13(X, a, ...)		X(a) MU_EACH_1_12(X, __VA_ARGS__)
#define MU_EACH_1_14(X, a, ...)		X(a) MU_EACH_1_13(X, __VA_ARGS__)
#define MU_EACH_1_15(X, a, ...)		X(a) MU_EACH_1_14(X, __VA_ARGS__)
#define MU_EACH_1_16(X, a, ...)		X(a) MU_EACH_1_15(X, __VA_ARGS__)
#define MU_EACH_1_17(X, a, ...)		X(a) MU_EACH_1_16(X, __VA_ARGS__)
#define MU_EACH_1_18(X, a, ...)		X(a) MU_EACH_1_17(X, __VA_ARGS__)
#define MU_EACH_1_19(X, a, ...)		X(a) MU_EACH_1_18(X, __VA_ARGS__)
#define MU_EACH_1_20(X, a, ...)		X(a) MU_EACH_1_19(X, __VA_ARGS__)
#define MU_EACH_1_21(X, a, ...)		X(a) MU_EACH_1_20(X, __VA_ARGS__)
#define MU_EACH_1_22(X, a, ...)		X(a) MU_EACH_1_21(X, __VA_ARGS__)
#define MU_EACH_1_23(X, a, ...)		X(a) MU_EACH_1_22(X, __VA_ARGS__)
#define MU_EACH_1_24(X, a, ...)		X(a) MU_EACH_1_23(X, __VA_ARGS__)
#define MU_EACH_1_25(X, a, ...)		X(a) MU_EACH_1_24(X, __VA_ARGS__)
#define MU_EACH_1_26(X, a, ...)		X(a) MU_EACH_1_25(X, __VA_ARGS__)
#define MU_EACH_1_27(X, a, ...)		X(a) MU_EACH_1_26(X, __VA_ARGS__)
#define MU_EACH_1_28(X, a, ...)		X(a) MU_EACH_1_27(X, __VA_ARGS__)
#define MU_EACH_1_29(X, a, ...)		X(a) MU_EACH_1_28(X, __VA_ARGS__)
#define MU_EACH_1_30(X, a, ...)		X(a) MU_EACH_1_29(X, __VA_ARGS__)
#define MU_EACH_1_31(X, a, ...)		X(a) MU_EACH_1_30(X, __VA_ARGS__)
#define MU_EACH_1_32(X, a, ...)		X(a) MU_EACH_1_31(X, __VA_ARGS__)
#define MU_EACH_1_33(X, a, ...)		X(a) MU_EACH_1_32(X, __VA_ARGS__)
#define MU_EACH_1_34(X, a, ...)		X(a) MU_EACH_1_33(X, __VA_ARGS__)
#define MU_EACH_1_35(X, a, ...)		X(a) MU_EACH_1_34(X, __VA_ARGS__)
#define MU_EACH_1_36(X, a, ...)		X(a) MU_EACH_1_35(X, __VA_ARGS__)
#define MU_EACH_1_37(X, a, ...)		X(a) MU_EACH_1_36(X, __VA_ARGS__)
#define MU_EACH_1_38(X, a, ...)		X(a) MU_EACH_1_37(X, __VA_ARGS__)
#define MU_EACH_1_39(X, a, ...)		X(a) MU_EACH_1_38(X, __VA_ARGS__)
#define MU_EACH_1_40(X, a, ...)		X(a) MU_EACH_1_39(X, __VA_ARGS__)
#define MU_EACH_1_41(X, a, ...)		X(a) MU_EACH_1_40(X, __VA_ARGS__)
#define MU_EACH_1_42(X, a, ...)		X(a) MU_EACH_1_41(X, __VA_ARGS__)
#define MU_EACH_1_43(X, a, ...)		X(a) MU_EACH_1_42(X, __VA_ARGS__)
#define MU_EACH_1_44(X, a, ...)		X(a) MU_EACH_1_43(X, __VA_ARGS__)
#define MU_EACH_1_45(X, a, ...)		X(a) MU_EACH_1_44(X, __VA_ARGS__)
#define MU_EACH_1_46(X, a, ...)		X(a) MU_EACH_1_45(X, __VA_ARGS__)
#define MU_EACH_1_47(X, a, ...)		X(a) MU_EACH_1_46(X, __VA_ARGS__)
#define MU_EACH_1_48(X, a, ...)		X(a) MU_EACH_1_47(X, __VA_ARGS__)
#define MU_EACH_1_49(X, a, ...)		X(a) MU_EACH_1_48(X, __VA_ARGS__)
#define MU_EACH_1_50(X, a, ...)		X(a) MU_EACH_1_49(X, __VA_ARGS__)
#define MU_EACH_1_51(X, a, ...)		X(a) MU_EACH_1_50(X, __VA_ARGS__)
#define MU_EACH_1_52(X, a, ...)		X(a) MU_EACH_1_51(X, __VA_ARGS__)
#define MU_EACH_1_53(X, a, ...)		X(a) MU_EACH_1_52(X, __VA_ARGS__)
#define MU_EACH_1_54(X, a, ...)		X(a) MU_EACH_1_53(X, __VA_ARGS__)
#define MU_EACH_1_55(X, a, ...)		X(a) MU_EACH_1_54(X, __VA_ARGS__)
#define MU_EACH_1_56(X, a, ...)		X(a) MU_EACH_1_55(X, __VA_ARGS__)
#define MU_EACH_1_57(X, a, ...)		X(a) MU_EACH_1_56(X, __VA_ARGS__)
#define MU_EACH_1_58(X, a, ...)		X(a) MU_EACH_1_57(X, __VA_ARGS__)
#define MU_EACH_1_59(X, a, ...)		X(a) MU_EACH_1_58(X, __VA_ARGS__)
#define MU_EACH_1_60(X, a, ...)		X(a) MU_EACH_1_59(X, __VA_ARGS__)
#define MU_EACH_1_61(X, a, ...)		X(a) MU_EACH_1_60(X, __VA_ARGS__)
#define MU_EACH_1_62(X, a, ...)		X(a) MU_EACH_1_61(X, __VA_ARGS__)
#define MU_EACH_1_63(X, a, ...)		X(a) MU_EACH_1_62(X, __VA_ARGS__)
#define MU_EACH_1_64(X, a, ...)		X(a) MU_EACH_1_63(X, __VA_ARGS__)
#define MU_KEEP_1_1(X, k, a)		X(k, a)
#define MU_KEEP_1_2(X, k, a, ...)	X(k, a) MU_KEEP_1_1(X, k, __VA_ARGS__)
#define MU_KEEP_1_3(X, k, a, ...)	X(k, a) MU_KEEP_1_2(X, k, __VA_ARGS__)
#define MU_KEEP_1_4(X, k, a, ...)	X(k, a) MU_KEEP_1_3(X, k, __VA_ARGS__)
#define MU_KEEP_1_5(X, k, a, ...)	X(k, a) MU_KEEP_1_4(X, k, __VA_ARGS__)
#define MU_KEEP_1_6(X, k, a, ...)	X(k, a) MU_KEEP_1_5(X, k, __VA_ARGS__)
#define MU_KEEP_1_7(X, k, a, ...)	X(k, a) MU_KEEP_1_6(X, k, __VA_ARGS__)
#define MU_KEEP_1_8(X, k, a, ...)	X(k, a) MU_KEEP_1_7(X, k, __VA_ARGS__)
#define MU_KEEP_1_9(X, k, a, ...)	X(k, a) MU_KEEP_1_8(X, k, __VA_ARGS__)
#define MU_KEEP_1_10(X, k, a, ...)	X(k, a) MU_KEEP_1_9(X, k, __VA_ARGS__)
#define MU_KEEP_1_11(X, k, a, ...)	X(k, a) MU_KEEP_1_10(X, k, __VA_ARGS__)
#define MU_KEEP_1_12(X, k, a, ...)	X(k, a) MU_KEEP_1_11(X, k, __VA_ARGS__)
#define MU_KEEP_1_13(X, k, a, ...)	X(k, a) MU_KEEP_1_12(X, k, __VA_ARGS__)
#define MU_KEEP_1_14(X, k, a, ...)	X(k, a) MU_KEEP_1_13(X, k, __VA_ARGS__)
#define MU_KEEP_1_15(X, k, a, ...)	X(k, a) MU_KEEP_1_14(X, k, __VA_ARGS__)
#define MU_KEEP_1_16(X, k, a, ...)	X(k, a) MU_KEEP_1_15(X, k, __VA_ARGS__)
#define MU_KEEP_1_17(X, k, a, ...)	X(k, a) MU_KEEP_1_16(X, k, __VA_ARGS__)
#define MU_KEEP_1_18(X, k, a, ...)	X(k, a) MU_KEEP_1_17(X, k, __VA_ARGS__)
#define MU_KEEP_1_19(X, k, a, ...)	X(k, a) MU_KEEP_1_18(X, k, __VA_ARGS__)
#define MU_KEEP_1_20(X, k, a, ...)	X(k, a) MU_KEEP_1_19(X, k, __VA_ARGS__)
#define MU_KEEP_1_21(X, k, a, ...)	X(k, a) MU_KEEP_1_20(X, k, __VA_ARGS__)
#define MU_KEEP_1_22(X, k, a, ...)	X(k, a) MU_KEEP_1_21(X, k, __VA_ARGS__)
#define MU_KEEP_1_23(X, k, a, ...)	X(k, a) MU_KEEP_1_22(X, k, __VA_ARGS__)
#define MU_KEEP_1_24(X, k, a, ...)	X(k, a) MU_KEEP_1_23(X, k, __VA_ARGS__)
#define MU_KEEP_1_25(X, k, a, ...)	X(k, a) MU_KEEP_1_24(X, k, __VA_ARGS__)
#define MU_KEEP_1_26(X, k, a, ...)	X(k, a) MU_KEEP_1_25(X, k, __VA_ARGS__)
#define MU_KEEP_1_27(X, k, a, ...)	X(k, a) MU_KEEP_1_26(X, k, __VA_ARGS__)
#define MU_KEEP_1_28(X, k, a, ...)	X(k, a) MU_KEEP_1_27(X, k, __VA_ARGS__)
#define MU_KEEP_1_29(X, k, a, ...)	X(k, a) MU_KEEP_1_28(X, k, __VA_ARGS__)
#define MU_KEEP_1_30(X, k, a, ...)	X(k, a) MU_KEEP_1_29(X, k, __VA_ARGS__)
#define MU_KEEP_1_31(X, k, a, ...)	X(k, a) MU_KEEP_1_30(X, k, __VA_ARGS__)
#define MU_KEEP_1_32(X, k, a, ...)	X(k, a) MU_KEEP_1_31(X, k, __VA_ARGS__)
#define MU_KEEP_1_33(X, k, a, ...)	X(k, a) MU_KEEP_1_32(X, k, __VA_ARGS__)
#define MU_KEEP_1_34(X, k, a, ...)	X(k, a) MU_KEEP_1_33(X, k, __VA_ARGS__)
#define MU_KEEP_1_35(X, k, a, ...)	X(k, a) MU_KEEP_1_34(X, k, __VA_ARGS__)
#define MU_KEEP_1_36(X, k, a, ...)	X(k, a) MU_KEEP_1_35(X, k, __VA_ARGS__)
#define MU_KEEP_1_37(X, k, a, ...)	X(k, a) MU_KEEP_1_36(X, k, __VA_ARGS__)
#define MU_KEEP_1_38(X, k, a, ...)	X(k, a) MU_KEEP_1_37(X, k, __VA_ARGS__)
#define MU_KEEP_1_39(X, k, a, ...)	X(k, a) MU_KEEP_1_38(X, k, __VA_ARGS__)
#define MU_KEEP_1_40(X, k, a, ...)	X(k, a) MU_KEEP_1_39(X, k, __VA_ARGS__)
#define MU_KEEP_1_41(X, k, a, ...)	X(k, a) MU_KEEP_1_40(X, k, __VA_ARGS__)
#define MU_KEEP_1_42(X, k, a, ...)	X(k, a) MU_KEEP_1_41(X, k, __VA_ARGS__)
#define MU_KEEP_1_43(X, k, a, ...)	X(k, a) MU_KEEP_1_42(X, k, __VA_ARGS__)
#define MU_KEEP_1_44(X, k, a, ...)	X(k, a) MU_KEEP_1_43(X, k, __VA_ARGS__)
#define MU_KEEP_1_45(X, k, a, ...)	X(k, a) MU_KEEP_1_44(X, k, __VA_ARGS__)
#define MU_KEEP_1_46(X, k, a, ...)	X(k, a) MU_KEEP_1_45(X, k, __VA_ARGS__)
#define MU_KEEP_1_47(X, k, a, ...)	X(k, a) MU_KEEP_1_46(X, k, __VA_ARGS__)
#define MU_KEEP_1_48(X, k, a, ...)	X(k, a) MU_KEEP_1_47(X, k, __VA_ARGS__)
#define MU_KEEP_1_49(X, k, a, ...)	X(k, a) MU_KEEP_1_48(X, k, __VA_ARGS__)
#define MU_KEEP_1_50(X, k, a, ...)	X(k, a) MU_KEEP_1_49(X, k, __VA_ARGS__)
#define MU_KEEP_1_51(X, k, a, ...)	X(k, a) MU_KEEP_1_50(X, k, __VA_ARGS__)
#define MU_KEEP_1_52(X, k, a, ...)	X(k, a) MU_KEEP_1_51(X, k, __VA_ARGS__)
#define MU_KEEP_1_53(X, k, a, ...)	X(k, a) MU_KEEP_1_52(X, k, __VA_ARGS__)
#define MU_KEEP_1_54(X, k, a, ...)	X(k, a) MU_KEEP_1_53(X, k, __VA_ARGS__)
#define MU_KEEP_1_55(X, k, a, ...)	X(k, a) MU_KEEP_1_54(X, k, __VA_ARGS__)
#define MU_KEEP_1_56(X, k, a, ...)	X(k, a) MU_KEEP_1_55(X, k, __VA_ARGS__)
#define MU_KEEP_1_57(X, k, a, ...)	X(k, a) MU_KEEP_1_56(X, k, __VA_ARGS__)
#define MU_KEEP_1_58(X, k, a, ...)	X(k, a) MU_KEEP_1_57(X, k, __VA_ARGS__)
#define MU_KEEP_1_59(X, k, a, ...)	X(k, a) MU_KEEP_1_58(X, k, __VA_ARGS__)
#define MU_KEEP_1_60(X, k, a, ...)	X(k, a) MU_KEEP_1_59(X, k, __VA_ARGS__)
#define MU_KEEP_1_61(X, k, a, ...)	X(k, a) MU_KEEP_1_60(X, k, __VA_ARGS__)
#define MU_KEEP_1_62(X, k, a, ...)	X(k, a) MU_KEEP_1_61(X, k, __VA_ARGS__)
#define MU_KEEP_1_63(X, k, a, ...)	X(k, a) MU_KEEP_1_62(X, k, __VA_ARGS__)
#define MU_KEEP_1_64(X, k, a, ...)	X(k, a) MU_KEEP_1_63(X, k, __VA_ARGS__)
#define MU_EACH_2_2(X, a, b)		X(a, b)
#define MU_EACH_2_4(X, a, b, ...)	X(a, b) MU_EACH_2_2(X, __VA_ARGS__)
#define MU_EACH_2_6(X, a, b, ...)	X(a, b) MU_EACH_2_4(X, __VA_ARGS__)
#define MU_EACH_2_8(X, a, b, ...)	X(a, b) MU_EACH_2_6(X, __VA_ARGS__)
#define MU_EACH_2_10(X, a, b, ...)	X(a, b) MU_EACH_2_8(X, __VA_ARGS__)
#define MU_EACH_2_12(X, a, b, ...)	X(a, b) MU_EACH_2_10(X, __VA_ARGS__)
#define MU_EACH_2_14(X, a, b, ...)	X(a, b) MU_EACH_2_12(X, __VA_ARGS__)
#define MU_EACH_2_16(X, a, b, ...)	X(a, b) MU_EACH_2_14(X, __VA_ARGS__)
#define MU_EACH_2_18(X, a, b, ...)	X(a, b) MU_EACH_2_16(X, __VA_ARGS__)
#define MU_EACH_2_20(X, a, b, ...)	X(a, b) MU_EACH_2_18(X, __VA_ARGS__)
#define MU_EACH_2_22(X, a, b, ...)	X(a, b) MU_EACH_2_20(X, __VA_ARGS__)
#define MU_EACH_2_24(X, a, b, ...)	X(a, b) MU_EACH_2_22(X, __VA_ARGS__)
#define MU_EACH_2_26(X, a, b, ...)	X(a, b) MU_EACH_2_24(X, __VA_ARGS__)
#define MU_EACH_2_28(X, a, b, ...)	X(a, b) MU_EACH_2_26(X, __VA_ARGS__)
#define MU_EACH_2_30(X, a, b, ...)	X(a, b) MU_EACH_2_28(X, __VA_ARGS__)
#define MU_EACH_2_32(X, a, b, ...)	X(a, b) MU_EACH_2_30(X, __VA_ARGS__)
#define MU_EACH_2_34(X, a, b, ...)	X(a, b) MU_EACH_2_32(X, __VA_ARGS__)
#define MU_EACH_2_36(X, a, b, ...)	X(a, b) MU_EACH_2_34(X, __VA_ARGS__)
#define MU_EACH_2_38(X, a, b, ...)	X(a, b) MU_EACH_2_36(X, __VA_ARGS__)
#define MU_EACH_2_40(X, a, b, ...)	X(a, b) MU_EACH_2_38(X, __VA_ARGS__)
#define MU_EACH_2_42(X, a, b, ...)	X(a, b) MU_EACH_2_40(X, __VA_ARGS__)
#define MU_EACH_2_44(X, a, b, ...)	X(a, b) MU_EACH_2_42(X, __VA_ARGS__)
#define MU_EACH_2_46(X, a, b, ...)	X(a, b) MU_EACH_2_44(X, __VA_ARGS__)
#define MU_EACH_2_48(X, a, b, ...)	X(a, b) MU_EACH_2_46(X, __VA_ARGS__)
#define MU_EACH_2_50(X, a, b, ...)	X(a, b) MU_EACH_2_48(X, __VA_ARGS__)
#define MU_EACH_2_52(X, a, b, ...)	X(a, b) MU_EACH_2_50(X, __VA_ARGS__)
#define MU_EACH_2_54(X, a, b, ...)	X(a, b) MU_EACH_2_52(X, __VA_ARGS__)
#define MU_EACH_2_56(X, a, b, ...)	X(a, b) MU_EACH_2_54(X, __VA_ARGS__)
#define MU_EACH_2_58(X, a, b, ...)	X(a, b) MU_EACH_2_56(X, __VA_ARGS__)
#define MU_EACH_2_60(X, a, b, ...)	X(a, b) MU_EACH_2_58(X, __VA_ARGS__)
#define MU_EACH_2_62(X, a, b, ...)	X(a, b) MU_EACH_2_60(X, __VA_ARGS__)
#define MU_EACH_2_64(X, a, b, ...)	X(a, b) MU_EACH_2_62(X, __VA_ARGS__)

#define MU_ENUM_LITERAL_(value) value,
#define MU_ENUM_NAME_(value)	MU_TOSTRING(value),

/* The type, and the function that tells names. */
#define MU_DEFINE_ENUM_WITHOUT_INVALID(TYPE, ...)                                                            \
	typedef enum MU_C2(TYPE, _TAG) { MU_FOR_EACH_1(MU_ENUM_LITERAL_, __VA_ARGS__) } TYPE;                \
	const char *MU_C2(MU_C2(MU_, TYPE), _ToString)(TYPE value)
#define MU_DEFINE_ENUM(TYPE, ...) MU_DEFINE_ENUM_WITHOUT_INVALID(TYPE, MU_C2(TYPE, _INVALID), __VA_ARGS__)

#define MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(TYPE, ...)                                                    \
	const char *MU_C2(MU_C2(MU_, TYPE), _ToString)(TYPE value)                                           \
	{                                                                                                    \
		static const char *const names[] = { MU_FOR_EACH_1(MU_ENUM_NAME_, __VA_ARGS__) };            \
		return (size_t)value < sizeof(names) / sizeof(names[0]) ? names[value] : NULL;               \
	}
#define MU_DEFINE_ENUM_STRINGS(TYPE, ...)                                                                    \
	MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(TYPE, MU_C2(TYPE, _INVALID), __VA_ARGS__)

/* The same for an enumeration that one source keeps to itself. */
#define MU_DEFINE_LOCAL_ENUM_WITHOUT_INVALID(TYPE, ...)                                                      \
	typedef enum MU_C2(TYPE, _TAG) { MU_FOR_EACH_1(MU_ENUM_LITERAL_, __VA_ARGS__) } TYPE;                \
	static MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(TYPE, __VA_ARGS__)
#define MU_DEFINE_LOCAL_ENUM(TYPE, ...)                                                                      \
	MU_DEFINE_LOCAL_ENUM_WITHOUT_INVALID(TYPE, MU_C2(TYPE, _INVALID), __VA_ARGS__)

#define MU_ENUM_TO_STRING(TYPE, value) (MU_C2(MU_C2(MU_, TYPE), _ToString)(value))

/* printf("is " "%" PRI_MU_ENUM "\n", MU_ENUM_VALUE(COLOUR, c)): the name and the number. */
#define PRI_MU_ENUM		   "s (%d)"
#define MU_ENUM_VALUE_OR_(name)	   ((name) == NULL ? "no such value" : (name))
#define MU_ENUM_VALUE(TYPE, value) MU_ENUM_VALUE_OR_(MU_ENUM_TO_STRING(TYPE, value)), (int)(value)

#endif
