/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Compares two ends of the fake kernel, as kern_fake_ours() tells them, that one node came to by
 * two ways. What a version is called depends on the way: a declaration that is loaded while its
 * directory is still in use gets the next name of its row (plan/version.c), and so do those whose
 * declaration contains that name since they use its maps. Nothing else may differ.
 */
#pragma once

#include <stdbool.h>

bool same_end(const char *is, const char *should);
