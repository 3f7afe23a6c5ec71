/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where our pins are, as paths relative to our directory on the bpffs
 * (/sys/fs/bpf/bpfshare). Version 2 of the layout:
 *
 *   objects/INSTANCE/VERSION/programs/FUNCTION    a loaded object
 *                           /maps/MAP
 *                           /extensions/FUNCTION  the same function as a freplace program
 *                           /meta                 which is pinned first, as `unfinished`,
 *                                                 and gets its name last
 *   chains/ID/dispatcher                          ID: program id of the dispatcher
 *            /members                             its program array, or
 *            /link-SLOT                           its freplace links
 *            /meta
 *   links/ID                                      exclusive roots and TCX; ID: link id
 *   links/ID@NETNS                                the same in another network namespace
 *   netns/NAME                                    a directory: something of ours may be in it
 *   layout-2                                      a directory: the version of all this
 *
 * Version 1 had no such mark, and metadata knew less of maps. What it made is used as it is: metadata is never
 * written anew, since by its map programs are known again. A version above ours can have
 * moved anything, so where its mark or its metadata is found, nothing at all is done.
 *
 * Beside our directory, in `xdp` of the same bpffs, lie the pins of libxdp's protocol:
 *
 *   dispatch-IFINDEX-ID/progSLOT-prog, progSLOT-link
 *
 * bpffs refuses dots in names, so every name is escaped: anything but
 * [A-Za-z0-9_@-] becomes %XX.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

#define LAYOUT_VERSION 2

#define LAYOUT_OBJECTS    "objects"
#define LAYOUT_CHAINS     "chains"
#define LAYOUT_LINKS      "links"
#define LAYOUT_PROGRAMS   "programs"
#define LAYOUT_MAPS       "maps"
#define LAYOUT_META       "meta"
#define LAYOUT_UNFINISHED "unfinished"
#define LAYOUT_DISPATCHER "dispatcher"
#define LAYOUT_MEMBERS    "members"
#define LAYOUT_EXTENSIONS "extensions"
#define LAYOUT_NETNS      "netns"
#define LAYOUT_PROTOCOL   "xdp"

#define LAYOUT_MARK_PREFIX      "layout-"
#define LAYOUT_MARK_OF(version) LAYOUT_MARK_PREFIX #version
#define LAYOUT_MARK_NAME(v)     LAYOUT_MARK_OF(v)
#define LAYOUT_MARK             LAYOUT_MARK_NAME(LAYOUT_VERSION)

/* What libxdp's dispatchers are called, and our member that drops where there is no version to run. */
#define PROTOCOL_DISPATCHER "xdp_dispatcher"
#define PROTOCOL_ABSENT     "bpfshare_missing"

const char *layout_escape(struct arena *a, const char *name);
const char *layout_unescape(struct arena *a, const char *name); /* NULL when no name of ours */

const char *layout_instance_dir(struct arena *a, const char *instance);
const char *layout_object_dir(struct arena *a, const char *instance, const char *version);
const char *layout_program_pin(struct arena *a, const char *instance, const char *version,
			       const char *function);
const char *layout_extension_pin(struct arena *a, const char *instance, const char *version,
				 const char *function);
const char *layout_map_pin(struct arena *a, const char *instance, const char *version,
			   const char *map);
const char *layout_chain_dir(struct arena *a, uint32_t id);
/* netns NULL: the daemon's own; the kernel tells of a link the number of its interface alone. */
const char *layout_link_pin(struct arena *a, uint32_t id, const char *netns);
/* Of the name of such a pin; false when it is none. */
bool layout_link_parse(struct arena *a, const char *name, uint32_t *ret_id, const char **ret_netns);
const char *layout_chain_link(struct arena *a, uint32_t id, uint32_t slot);
const char *layout_netns_dir(struct arena *a, const char *netns);
/* The version that a mark is of; 0 when name is none. */
uint32_t layout_mark_parse(const char *name);
/* Relative to `xdp` of the bpffs: "dispatch-IFINDEX-ID". */
const char *layout_protocol_dir(struct arena *a, uint32_t ifindex, uint32_t id);
/* False when name is none of these. */
bool layout_protocol_parse(const char *name, uint32_t *ret_ifindex, uint32_t *ret_id);

/*
 * Name of the instance of an object at an interface: "fwd@eth0", in a namespace "fwd@blue:eth0" (the
 * namespace is escaped, so that the name has no slash).
 */
const char *layout_instance(struct arena *a, const char *object, const char *netns,
			    const char *interface);

/*
 * Source string of a share's mount as /proc/self/mountinfo shows it; the mark by
 * which we know it again. tag: eight hex digits that stand for this daemon's
 * directories, so that daemons with different directories see each other as foreign.
 */
const char *layout_mount_source(struct arena *a, const char *tag, const char *share);
/* The share's name when source is a mount of ours, else NULL. */
const char *layout_mount_share(struct arena *a, const char *tag, const char *source);
