/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/filters.h"

#include <stdio.h>

static const char *const filters[N_FILTERS] = {
	"ip",
	"tcp port 80",
	"host 192.168.1.1 and tcp port 443",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
	"ip6 and udp port 53",
	"udp and port 53",
	"vlan and tcp port 80",
	"icmp or icmp6 or arp",
	"portrange 1000-2000",
	NULL, /* fifty hosts */
	"len > 1000 and ip[8] < 64 and tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
};

const char *
filter_expression(size_t i, char *buf, size_t size)
{
	size_t len = 0;

	if (filters[i] != NULL)
		return filters[i];
	for (unsigned host = 0; host < 50; host++)
		len += (size_t)snprintf(buf + len, size - len, "%shost 192.168.%u.%u",
					host > 0 ? " or " : "", host % 3 + 1, host * 5 + 1);
	return buf;
}
