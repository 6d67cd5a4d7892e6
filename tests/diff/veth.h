/* SPDX-License-Identifier: BSD-2-Clause */
/* A network of one's own: a namespace with two Ethernet interfaces and a wire between. */
#ifndef TESTS_DIFF_VETH_H
#define TESTS_DIFF_VETH_H

#include <bpfsift/ebpf.h>

struct veth {
	int sender;   /* interface index of the end that frames are sent from */
	int receiver; /* and of the other, whose address is DIFF_HOST_MAC */
};

/*
 * Move the process to a new network namespace and make the interfaces, both up
 * and silent.  0; -EPERM: not allowed to; -EOPNOTSUPP: the kernel has no
 * namespaces or no veth; else another negative code; err set.
 */
int veth_open(struct veth *veth, struct ebpf_err *err);

#endif
