// SPDX-License-Identifier: Apache-2.0
// Using up one resource each. Every loop here is bounded by what it attacks; the test bounds it too.
#include "attacker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static void forks(void) {
  // Each child does the same: the classic bomb.
  for (;;) {
    if (fork() < 0) usleep(1000);
  }
}

static void memory(void) {
  for (size_t total = 0;; total += 1 << 20) {
    char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      printf("refused after %zu MiB\n", total >> 20);
      exit(3);
    }
    memset(block, 1, 1 << 20);
  }
}

static long fill(const char *path) {
  static char block[65536];
  long total = 0;
  int file = open(path, O_CREAT | O_WRONLY, 0644);
  if (file < 0) return -errno;
  for (;;) {
    ssize_t size = write(file, block, sizeof block);
    if (size < 0) {
      printf("%s: %s after %ld KiB\n", path, errno == ENOSPC ? "ENOSPC" : errno == EFBIG ? "EFBIG" : strerror(errno), total >> 10);
      return total;
    }
    total += size;
  }
}

static void *sleeper(void *argument) {
  pause();
  return argument;
}

static int threads(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 32768);
  for (int count = 0; count < 100000; count++) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, sleeper, NULL)) {
      printf("threads: refused after %d\n", count);
      return 0;
    }
  }
  return 1;
}

static int descriptors(void) {
  for (int count = 3; count < 1000000; count++)
    if (dup(0) < 0) {
      printf("descriptors: %s after %d\n", errno == EMFILE ? "EMFILE" : "other", count);
      return 0;
    }
  return 1;
}

static int inodes(void) {
  for (int count = 0; count < 10000000; count++) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/i%d", count);
    int file = open(path, O_CREAT | O_WRONLY, 0644);
    if (file < 0) {
      printf("inodes: %s after %d\n", errno == ENOSPC ? "ENOSPC" : "other", count);
      return 0;
    }
    close(file);
  }
  return 1;
}

int exhaust(const char *what) {
  signal(SIGXFSZ, SIG_IGN);
  setvbuf(stdout, NULL, _IONBF, 0);
  if (strcmp(what, "forks") == 0) forks();
  if (strcmp(what, "memory") == 0) memory();
  if (strcmp(what, "processor") == 0) for (volatile unsigned long spin = 0;; spin++) {}
  if (strcmp(what, "threads") == 0) return threads();
  if (strcmp(what, "descriptors") == 0) return descriptors();
  if (strcmp(what, "inodes") == 0) return inodes();
  if (strcmp(what, "scratch") == 0) return fill("/tmp/full") < 0;
  if (strcmp(what, "shm") == 0) return fill("/dev/shm/full") < 0;
  if (strcmp(what, "file") == 0) return fill("/data/full") < 0;
  if (strcmp(what, "log") == 0)
    for (;;)
      if (write(1, "all work and no play makes a full disk\n", 39) < 0) return 0;
  if (strcmp(what, "calls") == 0)
    for (;;) syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
  return 2;
}

int show(const char *what, char **arguments) {
  if (strcmp(what, "nothing") == 0) return 0;
  if (strcmp(what, "descriptors") == 0) {
    for (int number = 0; number < 4096; number++) {
      struct stat status;
      if (fstat(number, &status) == 0) printf("%d ", number);
    }
    printf("\n");
    return 0;
  }
  if (strcmp(what, "file") == 0 && arguments[0]) {
    int file = open(arguments[0], O_RDONLY);
    char buffer[256];
    ssize_t size = file < 0 ? -1 : read(file, buffer, sizeof buffer);
    if (size < 0) return 1;
    return write(1, buffer, (size_t)size) < 0;
  }
  // May this process signal pid 1? Signal 0 asks and does nothing.
  if (strcmp(what, "signal") == 0) {
    printf("%s\n", kill(1, 0) == 0 ? "may" : errno == EPERM ? "EPERM" : "other");
    return 0;
  }
  if (strcmp(what, "echo") == 0) {
    for (char byte; read(3, &byte, 1) == 1;)
      if (write(3, &byte, 1) != 1) return 1;
    return 0;
  }
  // Nanoseconds of a call the filter allows by number, and of one whose argument it looks at.
  if (strcmp(what, "cost") == 0) {
    struct timespec start, middle, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (int count = 0; count < 1000000; count++) syscall(SYS_getppid);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &middle);
    for (int count = 0; count < 1000000; count++) syscall(SYS_fcntl, 0, F_GETFD, 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%.0f %.0f\n",
           (double)(middle.tv_sec - start.tv_sec) * 1e3 + (double)(middle.tv_nsec - start.tv_nsec) / 1e6,
           (double)(end.tv_sec - middle.tv_sec) * 1e3 + (double)(end.tv_nsec - middle.tv_nsec) / 1e6);
    return 0;
  }
  // Burns a known amount of processor time: `show burn MILLISECONDS`.
  if (strcmp(what, "burn") == 0 && arguments[0]) {
    struct timespec used;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < atol(arguments[0]));
    return 0;
  }
  return 2;
}
