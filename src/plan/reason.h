/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The reason tokens that the plan itself gives: part of the status contract, so
 * adding one is fine and renaming one is not. Those of failed operations come from kern with the failure.
 */
#pragma once

#include <stddef.h>

/* Objects and attachments. */
#define REASON_PLANNED              "Planned"
#define REASON_CONDITION_FALSE      "ConditionFalse"
#define REASON_SUSPENDED            "Suspended"
#define REASON_FILE_INVALID         "FileInvalid"
#define REASON_OBJECT_UNREADABLE    "ObjectUnreadable"
#define REASON_INTERFACE_ABSENT     "InterfaceAbsent"
#define REASON_NO_INTERFACE_MATCHES "NoInterfaceMatches"
#define REASON_NETNS_ABSENT         "NetnsAbsent"
#define REASON_NO_SUCH_SET          "NoSuchSet"
#define REASON_SETTINGS_CONFLICT    "SettingsConflict"
#define REASON_PER_DEVICE_MAP       "PerDeviceMap"
#define REASON_USE_CYCLE            "UseCycle"
#define REASON_MAP_NOT_LOADED       "MapNotLoaded"
#define REASON_NO_SUCH_MAP          "NoSuchMap"
#define REASON_MAP_CHANGED          "MapChanged"

/* Chains. */
#define REASON_GENERIC_MODE            "GenericMode"
#define REASON_BOND_MASTER             "BondMaster"
#define REASON_FOREIGN_PROGRAM         "ForeignProgram"
#define REASON_NEWER_LAYOUT            "NewerLayout"
#define REASON_ORDER_CYCLE             "OrderCycle"
#define REASON_TOO_MANY_MEMBERS        "TooManyMembers"
#define REASON_CHAIN_HELD              "ChainHeld"
#define REASON_FRAGS_MIX               "FragsMix"
#define REASON_TAILCALL_UNAVAILABLE    "TailcallUnavailable"
#define REASON_NEEDS_CONFIRM           "NeedsConfirm"
#define REASON_LIBXDP_UNAVAILABLE      "LibxdpUnavailable"
#define REASON_LIBXDP_TOO_MANY_MEMBERS "LibxdpTooManyMembers"
#define REASON_PROGRAM_WITHOUT_BTF     "ProgramWithoutBtf"
#define REASON_NO_EXTENSION            "NoExtension"
#define REASON_FOREIGN_DISPATCHER      "ForeignDispatcher"
#define REASON_FOREIGN_FIRST           "ForeignFirst"

/* Chains of tc. */
#define REASON_TCX_UNAVAILABLE    "TcxUnavailable"
#define REASON_CLSACT_UNAVAILABLE "ClsactUnavailable"
#define REASON_INGRESS_QDISC      "IngressQdisc"
#define REASON_FOREIGN_FILTER     "ForeignFilter"

/* Shares. */
#define REASON_UNSAFE_MAP               "UnsafeMap"
#define REASON_NO_SUCH_GROUP            "NoSuchGroup"
#define REASON_NO_SUCH_USER             "NoSuchUser"
#define REASON_PATH_IN_USE              "PathInUse"
#define REASON_PATH_CONFLICT            "PathConflict"
#define REASON_DESCRIPTOR_LIMIT         "DescriptorLimit"
#define REASON_MOUNT_COVERED            "MountCovered"
#define REASON_UNPRIVILEGED_BPF_BLOCKED "UnprivilegedBpfBlocked"
#define REASON_READ_ONLY_NOT_ENFORCED   "ReadOnlyNotEnforced"
#define REASON_READ_ONLY_WINDOW         "ReadOnlyWindow"
#define REASON_SHARED_GROUP             "SharedGroup"
#define REASON_CONTESTED                "Contested"
#define REASON_FOREIGN_PIN              "ForeignPin"

struct reason {
	const char *token, *meaning;
};

/* All of the above with a sentence each, in the order above. */
extern const struct reason plan_reasons[];
extern const size_t plan_reason_count;
