// The multiplication by tiles of 16 rows × 64 bytes (AMX): C in 2 × 2 tiles of 16 × 16, K in steps of 32.
// A row of A is packed as 32 consecutive k; a row of B as one pair of k for each of 16 columns.
#pragma once
#include "gemm_bf16_pack.h"

namespace fourfold {
namespace FOURFOLD_ISA {

struct AmxCore {
  using Element = uint16_t;
  static constexpr int64_t kRows = 32, kColumns = 32, kDepth = 1024, kStep = 32, kTile = 512;  // elements of a tile
  static constexpr bool kEvenRows = false;

  /// Gives the thread its tiles for as long as it multiplies.
  struct Session {
    Session() {
      // Palette 1; from byte 16 the bytes a row, from byte 48 the rows, of each of 8 tiles. Constant data, since the compiler sees only its first bytes used.
      alignas(64) static const uint8_t configuration[64] = {1,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,
                                                            64, 0, 64, 0, 0,  0, 0,  0, 0,  0, 0,  0, 0,  0, 0, 0, 0,  0, 0,  0, 16, 16, 16, 16, 16, 16, 16, 16};
      _tile_loadconfig(configuration);
    }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  static int64_t storedRows(int64_t rows) { return rows > 16 ? 32 : 16; }
  static int64_t padded(int64_t k) { return (k + kStep - 1) / kStep * kStep; }
  static int64_t depth(int64_t K) { return K <= 0 ? kStep : padded(ceilDivide(K, ceilDivide(K, kDepth))); }

  static void packLeft(const float* a, int64_t lda, bool transposed, int64_t rows, int64_t k, Element* panel) {
    const int64_t tiles = rows > 16 ? 2 : 1;
    for (int64_t g = 0; g < tiles; g++) {
      const float* source = transposed ? a + g * 16 : a + g * 16 * lda;
      if (!transposed) {
        // Row by row, as it lies in memory.
        for (int64_t i = 0; i < 16; i++) {
          const bool real = g * 16 + i < rows;
          Element* to = panel + g * kTile + i * kStep;
          for (int64_t p = 0; p < k; p += kStep, to += tiles * kTile) {
            _mm512_store_si512(to, real ? pairsOf(source + i * lda + p, k - p) : _mm512_setzero_si512());
          }
        }
        continue;
      }
      for (int64_t p = 0; p < k; p += kStep) {
        __m512i block[16];
        pairsByLane(source + p * lda, lda, true, rows - g * 16, k - p, block);
        for (int i = 0; i < 16; i++) _mm512_store_si512(panel + (p / kStep * tiles + g) * kTile + i * kStep, block[i]);
      }
    }
  }

  static void packRight(const float* b, int64_t ldb, bool transposed, int64_t columns, int64_t k, Element* panel) {
    for (int64_t p = 0; p < k; p += kStep) {
      for (int64_t g = 0; g < 2; g++, panel += kTile) {
        __m512i block[16];
        pairsByDepth(transposed ? b + g * 16 * ldb + p : b + p * ldb + g * 16, ldb, !transposed, columns - g * 16, k - p, block);
        for (int i = 0; i < 16; i++) _mm512_store_si512(panel + i * kStep, block[i]);
      }
    }
  }

  /// C's tiles are read first where C is added to: then an element is one chain over all of K.
  static void multiplyTiles(int64_t rows, int64_t steps, const Element* a, const Element* b, float* c, int64_t ldc, bool accumulate) {
    const int64_t bytes = ldc * int64_t(sizeof(float));
    const bool two = rows > 16;
    for (int64_t i = 0; i < (two ? 32 : 16); i++) {
      __builtin_prefetch(c + i * ldc, 1);
      __builtin_prefetch(c + i * ldc + 31, 1);
    }
    if (accumulate) {
      _tile_loadd(0, c, bytes);
      _tile_loadd(1, c + 16, bytes);
      if (two) {
        _tile_loadd(2, c + 16 * ldc, bytes);
        _tile_loadd(3, c + 16 * ldc + 16, bytes);
      }
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    if (two) {
      for (int64_t s = 0; s < steps; s++, a += 2 * kTile, b += 2 * kTile) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        _tile_loadd(7, b + kTile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, a + kTile, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    } else {
      for (int64_t s = 0; s < steps; s++, a += kTile, b += 2 * kTile) {
        _tile_loadd(4, a, 64);
        _tile_loadd(6, b, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, b + kTile, 64);
        _tile_dpbf16ps(1, 4, 7);
      }
    }
    _tile_stored(0, c, bytes);
    _tile_stored(1, c + 16, bytes);
    if (two) {
      _tile_stored(2, c + 16 * ldc, bytes);
      _tile_stored(3, c + 16 * ldc + 16, bytes);
    }
  }

  /// GFLOP of one thread: `steps` multiplications of tiles that stay where they are.
  static double work(int64_t steps) { return steps * 4 * 2e-9 * 16 * 16 * 32; }
  static void multiplyRegisters(int64_t steps) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    for (int64_t s = 0; s < steps; s++) {
      _tile_dpbf16ps(0, 4, 5);
      _tile_dpbf16ps(1, 4, 5);
      _tile_dpbf16ps(2, 4, 5);
      _tile_dpbf16ps(3, 4, 5);
    }
  }

  static void multiply(int64_t rows, int64_t columns, int64_t k, const Element* a, const Element* b, float* c, int64_t ldc, bool accumulate) {
    const int64_t steps = padded(k) / kStep;
    if (columns == kColumns && (rows == 32 || rows == 16)) return multiplyTiles(rows, steps, a, b, c, ldc, accumulate);
    // A tile over the edge of C: by way of a whole one.
    alignas(64) float whole[kRows * kColumns];
    if (accumulate) {
      for (int64_t i = 0; i < kRows; i++) {
        for (int64_t v = 0; v < kColumns; v += 16) _mm512_store_ps(whole + i * kColumns + v, i < rows ? loadN(c + i * ldc + v, columns - v) : zero());
      }
    }
    multiplyTiles(rows, steps, a, b, whole, kColumns, accumulate);
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t v = 0; v < columns; v += 16) storeN(c + i * ldc + v, _mm512_load_ps(whole + i * kColumns + v), columns - v);
    }
  }
};

}  // namespace FOURFOLD_ISA
}  // namespace fourfold
