/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "plan/reason.h"

#include "base/macros.h"

const struct reason plan_reasons[] = {
	{ REASON_PLANNED, "an operation is planned that will make it so" },
	{ REASON_CONDITION_FALSE, "a part of `when` does not hold on this node" },
	{ REASON_SUSPENDED, "suspended; what is in the kernel stays as it is" },
	{ REASON_FILE_INVALID,
	  "its file is invalid and no good version of it is known; what is in the kernel stays" },
	{ REASON_OBJECT_UNREADABLE, "the ELF file was not read" },
	{ REASON_INTERFACE_ABSENT, "there is no interface of this name yet" },
	{ REASON_NO_INTERFACE_MATCHES, "no interface matches the selector yet" },
	{ REASON_NO_SUCH_SET, "the selector names an interface set that no file declares" },
	{ REASON_SETTINGS_CONFLICT,
	  "two interface sets give different settings to one interface; the first in sort order holds" },
	{ REASON_PER_DEVICE_MAP,
	  "a program with a map that belongs to one device attaches to several interfaces" },
	{ REASON_USE_CYCLE, "objects use each other's maps in a circle" },
	{ REASON_MAP_NOT_LOADED, "a map is needed whose object is not loaded" },
	{ REASON_NO_SUCH_MAP, "a map is named that does not exist" },
	{ REASON_BOND_MASTER, "the interface belongs to a bond that runs XDP itself" },
	{ REASON_FOREIGN_PROGRAM, "a program that bpfshare did not load holds the interface" },
	{ REASON_NEWER_LAYOUT, "a newer version of bpfshare made what is there" },
	{ REASON_ORDER_CYCLE, "`before` and `after` contradict each other" },
	{ REASON_TOO_MANY_MEMBERS, "more programs than one chain can hold" },
	{ REASON_CHAIN_HELD, "the chain stays as it is because of another of its members" },
	{ REASON_FRAGS_MIX,
	  "multi-buffer programs and others cannot be members of one chain" },
	{ REASON_TAILCALL_UNAVAILABLE, "the kernel cannot run chains of tail calls" },
	{ REASON_NEEDS_CONFIRM, "takes a detach, which waits for `bpfsharectl confirm`" },
	{ REASON_UNSAFE_MAP, "writing to such a map reaches more than data; needs `unsafe: true`" },
	{ REASON_NO_SUCH_GROUP, "the group is not known on this node" },
	{ REASON_NO_SUCH_USER, "the user is not known on this node" },
	{ REASON_PATH_IN_USE, "something else is mounted at the path" },
	{ REASON_PATH_CONFLICT, "another target has the same path" },
	{ REASON_MOUNT_COVERED, "something else is mounted over the share" },
	{ REASON_UNPRIVILEGED_BPF_BLOCKED,
	  "the kernel refuses map access to processes without privilege" },
	{ REASON_READ_ONLY_NOT_ENFORCED,
	  "a consumer that is root could write to the share's read-only maps" },
	{ REASON_READ_ONLY_WINDOW,
	  "changes make the read-only share writable for a moment on this kernel" },
	{ REASON_SHARED_GROUP, "the user's primary group has other members" },
	{ REASON_FOREIGN_PIN, "something that is no map of ours lies in the share" },
};

const size_t plan_reason_count = ARRAY_SIZE(plan_reasons);
