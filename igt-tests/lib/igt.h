/* SPDX-License-Identifier: MIT */
/*
 * The part of IGT's interface that these tests use
 *
 * Debian ships libigt without its headers. Use the headers where they are
 * installed; otherwise declare the same names here. The declarations match
 * libigt.so.0 of IGT 2.x, whose blocks take parentheses: igt_main(),
 * igt_fixture(), igt_subtest_group().
 */
#ifndef PHYR_IGT_H
#define PHYR_IGT_H

#if __has_include(<igt/igt.h>)
#include <igt/igt.h>
#else

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct option;

enum igt_log_level {
	IGT_LOG_DEBUG,
	IGT_LOG_INFO,
	IGT_LOG_WARN,
};

extern jmp_buf igt_subtest_jmpbuf;

int igt_subtest_init_parse_opts(int *argc, char **argv,
				const char *short_options,
				const struct option *long_options,
				const char *help,
				int (*handler)(int, int, void *), void *data);
bool __igt_run_subtest(const char *name, const char *file, const int line);
bool __igt_fixture(void);
void __igt_fixture_complete(void);
void igt_success(void);
__attribute__((noreturn))
void igt_exit(void);
__attribute__((noreturn, format(printf, 5, 6)))
void __igt_skip_check(const char *file, const int line, const char *function,
		      const char *check, const char *format, ...);
__attribute__((noreturn, format(printf, 6, 7)))
void __igt_fail_assert(const char *domain, const char *file, const int line,
		       const char *function, const char *assertion,
		       const char *format, ...);
__attribute__((format(printf, 1, 2)))
void igt_describe_f(const char *format, ...);
__attribute__((format(printf, 3, 4)))
void igt_log(const char *domain, enum igt_log_level level, const char *format,
	     ...);
void igt_emit_ignore_dmesg_regex(const char *regex);
bool __igt_fork(void);
void igt_waitchildren(void);

#define IGT_TEST_DESCRIPTION(text) const char *__igt_test_description = text

#define __igt_paste(a, b)	a ## b
#define __igt_with_line(a, b)	__igt_paste(a, b)
#define __igt_once		__igt_with_line(__igt_once_, __LINE__)
#define __igt_tests		__igt_with_line(__igt_tests_, __LINE__)

#define IGT_OPT_HANDLER_SUCCESS	0
#define IGT_OPT_HANDLER_ERROR	-2

#define igt_main() \
	igt_main_args(NULL, NULL, NULL, NULL, NULL)
#define igt_main_args(short_options, long_options, help, handler, data) \
	__igt_tests_decl(__igt_tests, short_options, long_options, help, \
			 handler, data)
#define __igt_tests_decl(tests, short_options, long_options, help, handler, \
			 data) \
	static void tests(void); \
	int main(int argc, char **argv) \
	{ \
		igt_subtest_init_parse_opts(&argc, argv, short_options, \
					    long_options, help, handler, \
					    data); \
		tests(); \
		igt_exit(); \
	} \
	static void tests(void)

#define igt_fixture() \
	for (volatile int __igt_once = 0; \
	     __igt_once < 1 && __igt_fixture() && \
	     !sigsetjmp(igt_subtest_jmpbuf, 1); \
	     __igt_once++, __igt_fixture_complete())

#define igt_subtest(name) \
	for (; __igt_run_subtest((name), __FILE__, __LINE__) && \
	     !sigsetjmp(igt_subtest_jmpbuf, 1); \
	     igt_success())

#define igt_describe(text) igt_describe_f("%s", text)

#define igt_info(...) igt_log(NULL, IGT_LOG_INFO, __VA_ARGS__)

#define igt_assert(condition) \
	do { \
		if (!(condition)) \
			__igt_fail_assert(NULL, __FILE__, __LINE__, __func__, \
					  #condition, NULL); \
	} while (0)

#define igt_assert_f(condition, ...) \
	do { \
		if (!(condition)) \
			__igt_fail_assert(NULL, __FILE__, __LINE__, __func__, \
					  #condition, __VA_ARGS__); \
	} while (0)

#define __igt_compare(type, specifier, left, operator, right) \
	do { \
		type __left = (left), __right = (right); \
		if (!(__left operator __right)) \
			__igt_fail_assert(NULL, __FILE__, __LINE__, __func__, \
					  #left " " #operator " " #right, \
					  "error: " specifier ", " specifier "\n", \
					  __left, __right); \
	} while (0)

#define igt_assert_eq(left, right) \
	__igt_compare(int, "%d", left, ==, right)
#define igt_assert_eq_u64(left, right) \
	__igt_compare(unsigned long long, "%#llx", left, ==, right)
#define igt_assert_lte_u64(left, right) \
	__igt_compare(unsigned long long, "%#llx", left, <=, right)

#define igt_require_f(condition, ...) \
	do { \
		if (!(condition)) \
			__igt_skip_check(__FILE__, __LINE__, __func__, \
					 #condition, __VA_ARGS__); \
	} while (0)

#define igt_fork(child, children) \
	for (int child = 0; child < (children); child++) \
		for (; __igt_fork(); exit(0))

#endif
#endif
