/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the dispatchers of all hooks have in common: their number of slots. */
#pragma once

/* Applies a macro that takes a slot's number to all sixteen. */
#define CHAIN_SLOTS(define)                                                                       \
	define(0) define(1) define(2) define(3) define(4) define(5) define(6) define(7) define(8) \
		define(9) define(10) define(11) define(12) define(13) define(14) define(15)
