/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters that the kernel runs. */
#ifndef BPFSIFT_FILTER_ATTACH_H
#define BPFSIFT_FILTER_ATTACH_H

#include <bpfsift/cbpf.h>

#include <stdbool.h>

/*
 * Have a packet socket deliver those frames alone that a program of dialect pcap accepts,
 * as many bytes of each as it returns.  The program is for frames as they were on the wire,
 * the frames of the socket are what the kernel has: has_tags says that they are Ethernet's,
 * from which it takes a VLAN tag off.  The program takes the place of the filter that was
 * there between two packets, and at the return no packet is still on its way past that.
 *
 * Returns 0; -EINVAL: the kernel cannot express it; -E2BIG, -ENOMEM: too large for the
 * kernel, or for the socket; -EPERM; -ENOTSUP: not on this system, or no packet socket that
 * hands out whole frames; another negative errno.
 */
int sift_attach_socket(int socket, const struct cbpf_prog *prog, bool has_tags,
		       struct ebpf_err *err);

#endif
