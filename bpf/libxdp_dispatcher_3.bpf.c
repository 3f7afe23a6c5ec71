// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The dispatcher of version 3, as libxdp 1.6 and later writes it. */
#define LIBXDP_VERSION 3
#define LIBXDP_CONFIG  struct libxdp_config_3

#include "libxdp_chain.h"
