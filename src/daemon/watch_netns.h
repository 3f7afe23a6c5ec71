/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Other network namespaces: their interfaces by a socket inside each, and themselves by the directories that
 * their names are in. A socket keeps a namespace alive after its owner deleted it, so it is let go of by the
 * first pass that misses the name.
 */
#pragma once

#include "daemon/watch.h"
#include "model/observed.h"

struct watch_netns;

int watch_netns_new(const struct watch_target *t, struct watch_netns **ret, struct error *e);
void watch_netns_free(struct watch_netns *w);

/* Lets go of the namespaces that are not under their names any more, so that a pass finds them gone. */
void watch_netns_release(struct watch_netns *w);

/*
 * Watches exactly these (as the last pass observed them), tc: with filters (watch_links_set_tc). True when something is watched that was not
 * before: what happened between the look at it and the watch needs another look.
 */
bool watch_netns_set(struct watch_netns *w, const struct observed_netns *v, size_t n, bool tc);
