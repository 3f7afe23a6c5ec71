/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Watches our pins: the directories below our directory on the bpffs, those of libxdp's protocol
 * beside it and the directory of each share. What we pin ourselves makes events too; they cost one more pass, which
 * finds nothing to do.
 */
#pragma once

#include "daemon/watch.h"
#include "model/desired.h"

struct watch_pins;

int watch_pins_new(const struct watch_target *t, const char *bpffs_dir, struct watch_pins **ret,
		   struct error *e);
void watch_pins_free(struct watch_pins *w);

/*
 * After a pass: watches what exists by now, our directory and those of shares. True if
 * something is watched that was not before.
 */
bool watch_pins_set(struct watch_pins *w, const struct string_list *shares);
