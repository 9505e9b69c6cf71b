// SHA-256 (FIPS 180-4) in portable C, and with the instructions that x86 has for it.
#include "sha256.h"

#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define BLOCK 64

/// Fractional parts of the cube roots of the first 64 primes (section 4.2.2).
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

// Blocks ----------------------------------------------------------------------------------------

static uint32_t rotate(uint32_t x, int count) { return x >> count | x << (32 - count); }

static void compress_portable(uint32_t *state, const uint8_t *blocks, size_t count) {
  for (; count > 0; count--, blocks += BLOCK) {
    uint32_t w[64];
    for (int t = 0; t < 16; t++)
      w[t] = (uint32_t)blocks[4 * t] << 24 | (uint32_t)blocks[4 * t + 1] << 16 |
             (uint32_t)blocks[4 * t + 2] << 8 | (uint32_t)blocks[4 * t + 3];
    for (int t = 16; t < 64; t++) {
      const uint32_t x = w[t - 15], y = w[t - 2];
      const uint32_t s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >> 3;
      const uint32_t s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >> 10;
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; t++) {
      const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const uint32_t first = h + s1 + ((e & f) ^ (~e & g)) + constants[t] + w[t];
      const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const uint32_t second = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + first;
      d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

#if defined(__x86_64__)
// Registers are named by their 32-bit lanes, the highest first.
__attribute__((target("sha,sse4.1"))) static void compress_x86(
    uint32_t *state, const uint8_t *blocks, size_t count) {
  const __m128i swap_bytes = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i *stored = (__m128i *)(void *)state;
  const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(stored), 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(stored + 1), 0x1B);
  __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
  for (; count > 0; count--, blocks += BLOCK) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    // The last sixteen words of the schedule: four words of it for four rounds at a time.
    __m128i w[4];
#if defined(__clang__)
#pragma clang loop unroll(full)
#endif
    for (int t = 0; t < 16; t++) {
      __m128i *own = &w[t % 4];
      if (t < 4) {
        *own = _mm_loadu_si128((const __m128i *)(const void *)(blocks + 16 * t));
        *own = _mm_shuffle_epi8(*own, swap_bytes);
      } else {
        const __m128i last = w[(t + 3) % 4];
        *own = _mm_sha256msg1_epu32(*own, w[(t + 1) % 4]);
        *own = _mm_add_epi32(*own, _mm_alignr_epi8(last, w[(t + 2) % 4], 4));
        *own = _mm_sha256msg2_epu32(*own, last);
      }
      const __m128i k = _mm_loadu_si128((const __m128i *)(const void *)(constants + 4 * t));
      const __m128i sum = _mm_add_epi32(*own, k);
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(stored, _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(stored + 1, _mm_alignr_epi8(dchg, feba, 8));
}
#else
#define compress_x86 compress_portable
#endif

static void (*const compress[])(uint32_t *state, const uint8_t *blocks, size_t count) = {
    [PLUMB_SHA256_PORTABLE] = compress_portable,
    [PLUMB_SHA256_X86] = compress_x86,
};

static plumb_sha256_code find_best(void) {
#if defined(__x86_64__)
  // Asked of the processor itself: not every runtime library of `__builtin_cpu_supports` knows "sha".
  unsigned a, b, c, d;
  const unsigned ssse3 = 1u << 9, sse41 = 1u << 19, sha = 1u << 29;
  if (__get_cpuid(1, &a, &b, &c, &d) && (c & ssse3) && (c & sse41) &&
      __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & sha))
    return PLUMB_SHA256_X86;
#endif
  return PLUMB_SHA256_PORTABLE;
}

plumb_sha256_code plumb_sha256_best_code(void) {
  static atomic_int known = -1;
  int code = atomic_load_explicit(&known, memory_order_relaxed);
  if (code < 0) {
    code = (int)find_best();
    atomic_store_explicit(&known, code, memory_order_relaxed);
  }
  return (plumb_sha256_code)code;
}

// Messages --------------------------------------------------------------------------------------

void plumb_sha256_start(plumb_sha256 *hash) {
  plumb_sha256_start_on(plumb_sha256_best_code(), hash);
}

void plumb_sha256_start_on(plumb_sha256_code code, plumb_sha256 *hash) {
  // Fractional parts of the square roots of the first eight primes (section 5.3.3).
  *hash = (plumb_sha256){
      .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                0x5be0cd19},
      .code = code,
  };
}

void plumb_sha256_add(plumb_sha256 *hash, const void *bytes, size_t count) {
  if (count == 0) return;
  const uint8_t *next = bytes;
  const size_t waiting = hash->length % BLOCK;
  hash->length += count;
  if (waiting > 0) {
    const size_t taken = count < BLOCK - waiting ? count : BLOCK - waiting;
    memcpy(hash->block + waiting, next, taken);
    if (waiting + taken < BLOCK) return;
    compress[hash->code](hash->state, hash->block, 1);
    next += taken;
    count -= taken;
  }
  const size_t rest = count % BLOCK;
  compress[hash->code](hash->state, next, count / BLOCK);
  memcpy(hash->block, next + (count - rest), rest);
}

void plumb_sha256_digest(const plumb_sha256 *hash, uint8_t *digest) {
  plumb_sha256 ended = *hash;
  // A one bit and zeros up to the last eight bytes of a block, then the length in bits.
  uint8_t tail[BLOCK + 8] = {0x80};
  const size_t padding = (119 - hash->length % BLOCK) % BLOCK + 1;
  const uint64_t bits = 8 * hash->length;
  for (int i = 0; i < 8; i++) tail[padding + i] = (uint8_t)(bits >> (56 - 8 * i));
  plumb_sha256_add(&ended, tail, padding + 8);
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(ended.state[i / 4] >> (24 - 8 * (i % 4)));
}
