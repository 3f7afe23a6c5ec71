/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Integers as the core schema of YAML 1.2 writes them (section 10.3.2): a sign only before
 * decimal digits, 0x and 0o in lower case, and a leading zero that means nothing, so 0755 is
 * seven hundred and fifty-five. strtoull is of no use here: it skips blanks, takes 0755
 * for octal and turns "-1" into a huge number.
 */
#include "base/num.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The digits up to the end of s; reads on after an overflow, because garbage is the worse fault. */
static int parse_digits(const char *s, unsigned int base, uint64_t *ret)
{
	bool overflow = false;
	uint64_t value = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		int digit = digit_value(*s);

		if (digit < 0 || (unsigned int)digit >= base)
			return -EINVAL;
		overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)digit, &value);
	}
	if (overflow)
		return -ERANGE;
	*ret = value;
	return 0;
}

/* Sign and magnitude, which is what both signed and unsigned callers start from. */
static int parse_magnitude(const char *s, bool *ret_negative, uint64_t *ret)
{
	*ret_negative = false;
	if (!s)
		return -EINVAL;
	if (s[0] == '0' && s[1] == 'x')
		return parse_digits(s + 2, 16, ret);
	if (s[0] == '0' && s[1] == 'o')
		return parse_digits(s + 2, 8, ret);
	if (*s == '+' || *s == '-')
		*ret_negative = *s++ == '-';
	return parse_digits(s, 10, ret);
}

int num_parse_u64(const char *s, uint64_t *ret)
{
	uint64_t value;
	bool negative;
	int r;

	r = parse_magnitude(s, &negative, &value);
	if (r < 0)
		return r;
	if (negative && value != 0)
		return -ERANGE;
	*ret = value;
	return 0;
}

int num_parse_i64(const char *s, int64_t *ret)
{
	uint64_t value, limit;
	bool negative;
	int r;

	r = parse_magnitude(s, &negative, &value);
	if (r < 0)
		return r;
	limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	if (value > limit)
		return -ERANGE;
	/* Negated as unsigned, since INT64_MIN has no positive counterpart. */
	*ret = (int64_t)(negative ? -value : value);
	return 0;
}

int num_parse_u32(const char *s, uint32_t max, uint32_t *ret)
{
	uint64_t value;
	int r;

	r = num_parse_u64(s, &value);
	if (r < 0)
		return r;
	if (value > max)
		return -ERANGE;
	*ret = (uint32_t)value;
	return 0;
}
