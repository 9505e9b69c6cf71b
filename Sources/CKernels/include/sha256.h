#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

/// Machine codes of SHA-256; all give the same digests.
typedef enum {
  PLUMB_SHA256_PORTABLE,
  /// With the instructions that x86 has for it (SHA-NI).
  PLUMB_SHA256_X86,
} plumb_sha256_code;

/// The fastest code that this machine can run; hashes take it unless they are told otherwise.
plumb_sha256_code plumb_sha256_best_code(void);

/// The Secure Hash Algorithm with 256 bits (FIPS 180-4), fed piece by piece; memory does not grow.
typedef struct {
  uint32_t state[8];
  /// Bytes fed so far.
  uint64_t length;
  /// The bytes behind the last whole block: `length` modulo 64.
  uint8_t block[64];
  plumb_sha256_code code;
} plumb_sha256;

/// Begins a hash of nothing yet.
void plumb_sha256_start(plumb_sha256 *hash);
void plumb_sha256_start_on(plumb_sha256_code code, plumb_sha256 *hash);

/// Feeds bytes, which may be null if `count` is 0.
void plumb_sha256_add(plumb_sha256 *hash, const void *bytes, size_t count);

/// The digest of everything fed, 32 bytes; the hash can be fed further.
void plumb_sha256_digest(const plumb_sha256 *hash, uint8_t *digest);

#endif
