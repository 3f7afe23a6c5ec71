/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The two ends of a flood that proves that nothing is lost; see bpf/test_flood.h. Both return an exit status. */
#pragma once

#include <stdint.h>

/*
 * Sends frames, count of them or (0) until SIGTERM, and prints how many: at full rate, or with a pause of so many
 * microseconds after each 64. One that the interface did not take is sent again: what it took must arrive.
 */
int flood_send(const char *interface, uint64_t count, unsigned int pause_us);

/*
 * Attaches tc_flood of the object file to the ingress of the interface, pins its map `result` and stays
 * until SIGTERM. required: bit for each mark that a frame must have; 0: nobody filters either. Prints "ready"
 * once it is there.
 */
int flood_check(const char *interface, const char *object, uint32_t required, const char *pin);

/* Prints as NAME=VALUE what is in the map. */
int flood_result(const char *pin);

/* Prints as NAME=VALUE, a line each, what the driver of the interface counted and is not 0. */
int flood_driver_counters(const char *interface);
