/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* system extensions: unshare() */

#include "tests/diff/veth.h"

#include "ebpf/err.h"
#include "tests/diff/generate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENDER "sift0"
#define RECEIVER "sift1"
/* With several queues the kernel computes a hash of each packet to choose one. */
#define N_QUEUES 4

/* A netlink request under construction. */
struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[512];
};

static void *
end_of(struct request *r)
{
	return (char *)r + NLMSG_ALIGN(r->header.nlmsg_len);
}

static struct rtattr *
add(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *attr = end_of(r);

	attr->rta_type = type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(attr), data, len);
	r->header.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(attr->rta_len));
	return attr;
}

/* What was added since attr is inside of it. */
static void
close_nest(struct request *r, struct rtattr *attr)
{
	attr->rta_len = (unsigned short)((char *)end_of(r) - (char *)attr);
}

static void
add_interface(struct request *r, const char *name, const uint8_t mac[6])
{
	uint32_t n_queues = N_QUEUES;

	add(r, IFLA_IFNAME, name, strlen(name) + 1);
	add(r, IFLA_ADDRESS, mac, 6);
	add(r, IFLA_NUM_TX_QUEUES, &n_queues, sizeof(n_queues));
	add(r, IFLA_NUM_RX_QUEUES, &n_queues, sizeof(n_queues));
}

static void
make_request(struct request *r)
{
	static const uint8_t sender_mac[6] = { 0x02, 0, 0, 0, 0, 0x0a };
	static const uint8_t receiver_mac[6] = DIFF_HOST_MAC;
	const struct ifinfomsg peer_link = { .ifi_family = AF_UNSPEC };
	struct rtattr *info, *data, *peer;

	memset(r, 0, sizeof(*r));
	r->header.nlmsg_type = RTM_NEWLINK;
	r->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	r->header.nlmsg_len = NLMSG_LENGTH(sizeof(r->link));
	r->link.ifi_family = AF_UNSPEC;
	add_interface(r, SENDER, sender_mac);
	info = add(r, IFLA_LINKINFO, NULL, 0);
	add(r, IFLA_INFO_KIND, "veth", 4);
	data = add(r, IFLA_INFO_DATA, NULL, 0);
	peer = add(r, VETH_INFO_PEER, &peer_link, sizeof(peer_link));
	add_interface(r, RECEIVER, receiver_mac);
	close_nest(r, peer);
	close_nest(r, data);
	close_nest(r, info);
}

static int
make_pair(struct ebpf_err *err)
{
	struct request request;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), rc = 0;

	if (fd < 0)
		return ebpf_err_set(err, -errno, "netlink: %s", strerror(errno));
	make_request(&request);
	memset(&answer, 0, sizeof(answer));
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		rc = -errno;
	else if (answer.header.nlmsg_type == NLMSG_ERROR)
		rc = answer.error.error;
	close(fd);
	return rc == 0 ? 0 : ebpf_err_set(err, rc, "no veth interfaces: %s", strerror(-rc));
}

/* A sysctl of the new namespace. */
static void
set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* Where it does not exist, or not to us, the callers do without. */
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		(void)0;
	close(fd);
}

static int
bring_up(const char *name, struct ebpf_err *err)
{
	struct ifreq request = { .ifr_flags = IFF_UP | IFF_NOARP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	strcpy(request.ifr_name, name);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		rc = ebpf_err_set(err, -errno, "%s: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
enter_namespace(struct ebpf_err *err)
{
	/* Without privileges a user namespace may lend them. */
	if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		return 0;
	return ebpf_err_set(err, errno == EPERM || errno == EACCES ? -EPERM : -EOPNOTSUPP,
			    "no network namespace: %s", strerror(errno));
}

int
veth_open(struct veth *veth, struct ebpf_err *err)
{
	int rc;

	if ((rc = enter_namespace(err)) < 0)
		return rc;
	/*
	 * No address, no neighbours to discover: only our own frames are on the wire, or
	 * frames of others are told apart.
	 */
	set("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	/* What a socket may hold: long programs are longer once converted, or are not taken. */
	set("/proc/sys/net/core/optmem_max", "16777216");
	/* The sender last: it has a carrier at once, and drops no frame while waiting for one. */
	if ((rc = make_pair(err)) < 0 || (rc = bring_up(RECEIVER, err)) < 0 ||
	    (rc = bring_up(SENDER, err)) < 0)
		return rc;
	veth->sender = (int)if_nametoindex(SENDER);
	veth->receiver = (int)if_nametoindex(RECEIVER);
	return 0;
}
