// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The dispatcher of version 2, as libxdp 1.3 to 1.5 writes it. */
#define LIBXDP_VERSION 2
#define LIBXDP_CONFIG  struct libxdp_config_2

#include "libxdp_chain.h"
