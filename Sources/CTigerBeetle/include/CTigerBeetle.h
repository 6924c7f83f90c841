// SPDX-License-Identifier: Apache-2.0
// libtb_client, loaded at run time. Nothing of it is linked: the library exports weak memcpy, sin and
// others, which would take the place of libc's in a linked program.
//
// Declares what the 0.17 ABI has, with 128-bit numbers as {lo, hi}: Swift does not import
// __uint128_t. Calls block, with a deadline; the library's own threads never run our Swift.
#ifndef BH_CTIGERBEETLE_H
#define BH_CTIGERBEETLE_H
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t lo, hi; } bh_tb_wide;

typedef struct {
  bh_tb_wide id, debits_pending, debits_posted, credits_pending, credits_posted, user_data_128;
  uint64_t user_data_64;
  uint32_t user_data_32, reserved, ledger;
  uint16_t code, flags;
  uint64_t timestamp;
} bh_tb_account;

typedef struct {
  bh_tb_wide id, debit_account_id, credit_account_id, amount, pending_id, user_data_128;
  uint64_t user_data_64;
  uint32_t user_data_32, timeout, ledger;
  uint16_t code, flags;
  uint64_t timestamp;
} bh_tb_transfer;

typedef struct {
  uint64_t timestamp;
  uint32_t status, reserved;
} bh_tb_result;

typedef struct {
  bh_tb_wide account_id, user_data_128;
  uint64_t user_data_64;
  uint32_t user_data_32;
  uint16_t code;
  uint8_t reserved[58];
  uint64_t timestamp_min, timestamp_max;
  uint32_t limit, flags;
} bh_tb_filter;

typedef struct {
  bh_tb_wide debits_pending, debits_posted, credits_pending, credits_posted;
  uint64_t timestamp;
  uint8_t reserved[56];
} bh_tb_balance;

_Static_assert(sizeof(bh_tb_account) == 128, "account");
_Static_assert(sizeof(bh_tb_transfer) == 128, "transfer");
_Static_assert(sizeof(bh_tb_result) == 16, "result");
_Static_assert(sizeof(bh_tb_filter) == 128, "filter");
_Static_assert(sizeof(bh_tb_balance) == 128, "balance");

// A loaded library. Never unloaded: its threads may outlive a client.
typedef struct bh_tb_library bh_tb_library;
// A connection to a cluster, or to nothing in echo mode. Pinned in memory.
typedef struct bh_tb_client bh_tb_client;

// Loads `path` and finds the functions. NULL with words in `error` if it cannot, or if a function of
// the 0.17 ABI is missing.
bh_tb_library *bh_tb_load(const char *path, char *error, size_t error_size);

// Starts a client: `cluster` is 16 bytes, least significant first. In echo mode requests come back
// as they are. Returns NULL and the library's status in `*status`.
bh_tb_client *bh_tb_connect(bh_tb_library *library, const uint8_t cluster[16], const char *address,
                            int echo, int *status);
// Ends a client. Requests that wait are completed by the library with status 5.
void bh_tb_disconnect(bh_tb_client *client);

enum {
  BH_TB_TIMEOUT = -1,   // no answer by the deadline; the request may still take effect
  BH_TB_CLOSED = -2,    // the client is closed or was evicted before the request
  BH_TB_NO_MEMORY = -3,
};

// Sends one request and waits. Returns the packet's status (0 is answered) or one above. On 0,
// `*result` is to be freed with `free` and holds `*result_size` bytes.
int bh_tb_request(bh_tb_client *client, uint8_t operation, const void *data, uint32_t size,
                  uint32_t timeout_milliseconds, uint8_t **result, uint32_t *result_size);

// The library's last warning or error, for people; empty if there was none.
void bh_tb_last_log(char *text, size_t size);
#endif
