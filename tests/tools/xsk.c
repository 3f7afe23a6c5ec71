/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The smallest AF_XDP receiver (Linux 4.18, Documentation/networking/af_xdp.rst): one UMEM
 * whose frames are all given to the fill ring, one receive ring, copy mode.
 */
#include "tools/xsk.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAMES      64u
#define FRAME_BYTES 4096u

struct ring {
	uint32_t *producer, *consumer;
	void *entries;
};

static int ring_map(int fd, const struct xdp_ring_offset *at, size_t entry, off_t place,
		    struct ring *ret)
{
	char *start = mmap(NULL, at->desc + FRAMES * entry, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, fd, place);

	if (start == MAP_FAILED)
		return -1;
	*ret = (struct ring){
		.producer = (uint32_t *)(void *)(start + at->producer),
		.consumer = (uint32_t *)(void *)(start + at->consumer),
		.entries = start + at->desc,
	};
	return 0;
}

static int umem_register(int fd)
{
	uint32_t size = FRAMES;
	struct xdp_umem_reg umem = { .len = FRAMES * FRAME_BYTES, .chunk_size = FRAME_BYTES };
	void *memory =
		mmap(NULL, umem.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	umem.addr = (uintptr_t)memory;
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof(size)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_RX_RING, &size, sizeof(size)) < 0)
		return -1;
	return 0;
}

int xsk_open(unsigned int ifindex, struct xsk *ret)
{
	struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = ifindex,
	};
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);
	struct ring fill, rx;
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (umem_register(fd) < 0 || getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size) < 0 ||
	    ring_map(fd, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, &fill) < 0 ||
	    ring_map(fd, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, &rx) < 0)
		goto fail;
	for (uint32_t i = 0; i < FRAMES; i++)
		((uint64_t *)fill.entries)[i] = (uint64_t)i * FRAME_BYTES;
	__atomic_store_n(fill.producer, FRAMES, __ATOMIC_RELEASE);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	*ret = (struct xsk){ .fd = fd, .received = rx.producer };
	return 0;
fail:
	close(fd);
	return -1;
}

int xsk_wait(const struct xsk *x, uint32_t count, int timeout_ms)
{
	struct pollfd p = { .fd = x->fd, .events = POLLIN };

	/* The ring is never emptied, so poll() would report it at once: look, then wait a little. */
	for (int waited = 0; __atomic_load_n(x->received, __ATOMIC_ACQUIRE) < count; waited += 10) {
		if (waited >= timeout_ms)
			return errno = ETIMEDOUT, -1;
		(void)poll(&p, __atomic_load_n(x->received, __ATOMIC_ACQUIRE) ? 0 : 1, 10);
	}
	return 0;
}
