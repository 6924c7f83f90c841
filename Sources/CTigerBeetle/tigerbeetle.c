// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "include/CTigerBeetle.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The library's own structures (0.17.0 to 0.17.8). Both must stay where they are while in use.
typedef struct {
  uint64_t opaque[4];
} handle_t;
typedef struct {
  void *user_data, *data;
  uint32_t data_size;
  uint16_t user_tag;
  uint8_t operation, status, opaque[64];
} packet_t;
_Static_assert(sizeof(handle_t) == 32, "client");
_Static_assert(sizeof(packet_t) == 88, "packet");

typedef void (*completion_t)(uintptr_t, packet_t *, uint64_t, const uint8_t *, uint32_t);
typedef int (*init_t)(handle_t *, const uint8_t *, const char *, uint32_t, uintptr_t, completion_t);

struct bh_tb_library {
  init_t init, init_echo;
  int (*submit)(handle_t *, packet_t *);
  int (*deinit)(handle_t *);
  int (*register_log)(void (*)(int, const uint8_t *, uint32_t), bool);
};

struct bh_tb_client {
  handle_t handle;
  bh_tb_library *library;
};

// One request in flight. Owned by the waiter, or, once it gave up, by the completion.
struct request {
  packet_t packet;
  pthread_mutex_t lock;
  pthread_cond_t done_or_not;
  bool done, abandoned;
  void *data;
  uint8_t *result;
  uint32_t result_size;
};

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[256];

// The library prints to stderr unless it has somewhere else to write.
static void keep_log(int level, const uint8_t *text, uint32_t size) {
  if (level > 1) return;
  pthread_mutex_lock(&log_lock);
  size_t kept = size < sizeof log_text - 1 ? size : sizeof log_text - 1;
  memcpy(log_text, text, kept);
  log_text[kept] = 0;
  pthread_mutex_unlock(&log_lock);
}

void bh_tb_last_log(char *text, size_t size) {
  pthread_mutex_lock(&log_lock);
  snprintf(text, size, "%s", log_text);
  pthread_mutex_unlock(&log_lock);
}

bh_tb_library *bh_tb_load(const char *path, char *error, size_t error_size) {
  // LOCAL: its weak libc functions stay out of everyone else's sight.
  void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    snprintf(error, error_size, "%s", dlerror());
    return NULL;
  }
  bh_tb_library *library = calloc(1, sizeof *library);
  if (!library) return NULL;
  library->init = (init_t)dlsym(file, "tb_client_init");
  library->init_echo = (init_t)dlsym(file, "tb_client_init_echo");
  library->submit = (int (*)(handle_t *, packet_t *))dlsym(file, "tb_client_submit");
  library->deinit = (int (*)(handle_t *))dlsym(file, "tb_client_deinit");
  library->register_log = (int (*)(void (*)(int, const uint8_t *, uint32_t), bool))dlsym(
      file, "tb_client_register_log_callback");
  // init_parameters came with the present shape of the handle; older libraries never answer.
  if (!library->init || !library->init_echo || !library->submit || !library->deinit ||
      !library->register_log || !dlsym(file, "tb_client_init_parameters")) {
    snprintf(error, error_size, "it lacks functions of the 0.17 client");
    free(library);
    return NULL;
  }
  library->register_log(keep_log, false);
  return library;
}

static void free_request(struct request *request) {
  pthread_mutex_destroy(&request->lock);
  pthread_cond_destroy(&request->done_or_not);
  free(request->data);
  free(request->result);
  free(request);
}

// Runs on the library's thread, where nothing may be submitted.
static void complete(uintptr_t context, packet_t *packet, uint64_t timestamp, const uint8_t *result,
                     uint32_t size) {
  (void)context;
  (void)timestamp;
  struct request *request = packet->user_data;
  pthread_mutex_lock(&request->lock);
  if (size > 0 && result) {
    request->result = malloc(size);
    if (request->result) {
      memcpy(request->result, result, size);
      request->result_size = size;
    }
  }
  request->done = true;
  bool abandoned = request->abandoned;
  if (!abandoned) pthread_cond_signal(&request->done_or_not);
  pthread_mutex_unlock(&request->lock);
  if (abandoned) free_request(request);
}

bh_tb_client *bh_tb_connect(bh_tb_library *library, const uint8_t cluster[16], const char *address,
                            int echo, int *status) {
  bh_tb_client *client = aligned_alloc(16, 64);
  if (!client) return NULL;
  memset(client, 0, 64);
  client->library = library;
  init_t init = echo ? library->init_echo : library->init;
  *status = init(&client->handle, cluster, address, (uint32_t)strlen(address), 0, complete);
  if (*status == 0) return client;
  free(client);
  return NULL;
}
_Static_assert(sizeof(struct bh_tb_client) <= 64, "allocation");

void bh_tb_disconnect(bh_tb_client *client) {
  client->library->deinit(&client->handle);
  free(client);
}

static struct request *new_request(uint8_t operation, const void *data, uint32_t size) {
  struct request *request = calloc(1, sizeof *request);
  if (!request) return NULL;
  // Events hold 128-bit numbers: aligned to 16, in whole sixteens.
  request->data = aligned_alloc(16, size ? (size + 15u) & ~15u : 16);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&request->done_or_not, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&request->lock, NULL);
  if (!request->data) {
    free_request(request);
    return NULL;
  }
  memcpy(request->data, data, size);
  request->packet.user_data = request;
  request->packet.data = request->data;
  request->packet.data_size = size;
  request->packet.operation = operation;
  return request;
}

int bh_tb_request(bh_tb_client *client, uint8_t operation, const void *data, uint32_t size,
                  uint32_t timeout_milliseconds, uint8_t **result, uint32_t *result_size) {
  *result = NULL;
  *result_size = 0;
  struct request *request = new_request(operation, data, size);
  if (!request) return BH_TB_NO_MEMORY;
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += timeout_milliseconds / 1000;
  deadline.tv_nsec += (long)(timeout_milliseconds % 1000) * 1000000;
  if (deadline.tv_nsec >= 1000000000) {
    deadline.tv_sec += 1;
    deadline.tv_nsec -= 1000000000;
  }
  if (client->library->submit(&client->handle, &request->packet) != 0) {
    free_request(request);
    return BH_TB_CLOSED;
  }
  pthread_mutex_lock(&request->lock);
  int waited = 0;
  while (!request->done && waited == 0)
    waited = pthread_cond_timedwait(&request->done_or_not, &request->lock, &deadline);
  if (!request->done) {
    // The completion frees it, whenever it comes.
    request->abandoned = true;
    pthread_mutex_unlock(&request->lock);
    return BH_TB_TIMEOUT;
  }
  pthread_mutex_unlock(&request->lock);
  int status = request->packet.status;
  if (status == 0) {
    *result = request->result;
    *result_size = request->result_size;
    request->result = NULL;
  }
  free_request(request);
  return status;
}
