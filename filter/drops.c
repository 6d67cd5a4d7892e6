/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/drops.h"

#include <fcntl.h>
#include <unistd.h>

/* A file of one decimal number, made anew when it is read from its beginning. */
static uint64_t
read_number(int fd)
{
	char digits[24];
	ssize_t n = pread(fd, digits, sizeof(digits), 0);
	uint64_t number = 0;

	for (ssize_t i = 0; i < n && digits[i] >= '0' && digits[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(digits[i] - '0');
	return number;
}

static uint64_t
count_all(const struct sift_drops *drops)
{
	return read_number(drops->missed) + read_number(drops->fifo);
}

void
sift_drops_open(struct sift_drops *drops, const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*drops = (struct sift_drops)SIFT_DROPS_NONE;
	if (fd < 0)
		return;
	drops->missed = openat(fd, "rx_missed_errors", O_RDONLY | O_CLOEXEC);
	drops->fifo = openat(fd, "rx_fifo_errors", O_RDONLY | O_CLOEXEC);
	close(fd);
	if (drops->missed < 0 || drops->fifo < 0)
		sift_drops_close(drops);
	else
		drops->before = count_all(drops);
}

bool
sift_drops_are_known(const struct sift_drops *drops)
{
	return drops->missed >= 0;
}

uint64_t
sift_drops_count(const struct sift_drops *drops)
{
	uint64_t now = count_all(drops);

	/* An interface that was taken away has none any more. */
	return now > drops->before ? now - drops->before : 0;
}

void
sift_drops_close(struct sift_drops *drops)
{
	if (drops->missed >= 0)
		close(drops->missed);
	if (drops->fifo >= 0)
		close(drops->fifo);
	*drops = (struct sift_drops)SIFT_DROPS_NONE;
}
