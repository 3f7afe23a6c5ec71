/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the tests of tc have in common: an interface, members and programs of somebody else's. */
#pragma once

#include <bpf/bpf.h>

#include "fixture.h"
#include "model/limits.h"

/* Of our filters. */
#define PRIORITY TC_FILTER_PRIORITY
#define HANDLE   1

#define FOREIGN_MAX LIMIT_CHAIN_TCX

/* A veth v0, members a (id 1), b and c, and programs of others by number. */
extern struct tc_world {
	uint32_t veth, a, b, c;
	int foreign[FOREIGN_MAX];
	size_t foreign_count;
} w;

int tc_begin(void **state);
int tc_end(void **state);
#define TC_TEST(f) cmocka_unit_test_setup_teardown(f, tc_begin, tc_end)

void need(const char *feature); /* skips the test without it */

/* Observations; tc: as if something were declared for it. */
struct observed *look(bool tc);
const struct observed_tc *at(enum tc_direction direction);
const char *labels(const struct observed_tc_program *p, size_t n);        /* "a f0 b" */
const char *list_of(enum tc_direction direction);                         /* TCX, likewise */
const struct observed_tc_program *filter_at(enum tc_direction direction); /* at PRIORITY, or NULL */
uint32_t link_of(enum tc_direction direction, uint32_t program);

/* Programs of somebody else's, each one distinct. */
int new_foreign(void);
int foreign_link(int program, enum bpf_attach_type type); /* at the end of v0's list */

/* Operations at v0; instance NULL: a chain, to be filled in. */
struct op set_op(enum mechanism mechanism, enum tc_direction direction, const char *instance);
struct op clear_op(enum mechanism mechanism, enum tc_direction direction, uint32_t program);
void put(const char *instance, enum tc_place place, const char *neighbour); /* a link on ingress */
void put_filter(enum tc_direction direction, const char *instance, uint32_t expected);
uint32_t build(const char *const *instances, size_t n); /* a chain of tc, passing on NEXT */
