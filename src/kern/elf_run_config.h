/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What libxdp reads from an object file besides its programs. Internal to elf_reader. */
#pragma once

#include <stdbool.h>

#include <bpf/btf.h>

#include "base/arena.h"
#include "model/elf.h"

/*
 * Fills in has_btf (with_functions: the file tells which code belongs to which type) and the run configuration of
 * all programs, whose names must be set. btf may be NULL.
 */
void elf_run_config_fill(struct arena *a, struct elf_object *object, const struct btf *btf,
			 bool with_functions);
