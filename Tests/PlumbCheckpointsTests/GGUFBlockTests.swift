import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbCheckpoints

/// Blocks against `gguf.quants.dequantize` (`Tests/Fixtures/gguf/make_gguf.py`), bit for bit.
@Suite struct GGUFBlockTests {
  @Test(arguments: GGUFTensorType.allCases.filter { $0 != .f32 })
  func equalThePackage(_ type: GGUFTensorType) throws {
    let file = try SafetensorsFile(contentsOf: Fixtures.url("gguf/blocks.safetensors"))
    let bytes = try file.integers(named: "\(type.name).blocks").map { UInt8($0) }
    let expected = try file.floats(named: "\(type.name).values")
    let found = type.floats(bytes)
    #expect(
      found.count == expected.count && found.count >= 20 * type.blockCount || found.count == 256)
    let differing = zip(found, expected).enumerated().filter { _, pair in
      // Which NaN comes out is the processor's choice.
      pair.0.bitPattern != pair.1.bitPattern && !(pair.0.isNaN && pair.1.isNaN)
    }
    #expect(differing.isEmpty, "\(type.name): \(differing.prefix(4))")
    // The cases hold ordinary numbers, infinities, NaN, and numbers below any normal half.
    #expect(expected.contains { $0.isNaN } && expected.contains { $0.isInfinite })
    #expect(expected.contains { $0 != 0 && abs($0) < 6e-5 })
  }

  @Test func singlePrecisionIsTakenAsItIs() {
    let values: [Float] = [
      0, -0, 1.5, .infinity, .leastNonzeroMagnitude, -.greatestFiniteMagnitude,
    ]
    let found = GGUFTensorType.f32.floats(values.flatMap { little($0.bitPattern) })
    #expect(found.map(\.bitPattern) == values.map(\.bitPattern))
  }

  /// Sizes as ggml's `GGML_QUANT_SIZES` has them.
  @Test func blocksHaveTheirSizes() {
    let sizes = GGUFTensorType.allCases.map { [$0.blockCount, $0.blockByteCount] }
    #expect(
      sizes == [
        [1, 4], [1, 2], [32, 18], [32, 20], [32, 22], [32, 24], [32, 34], [256, 144], [256, 176],
        [256, 210], [1, 2],
      ])
  }

  @Test func rowsAreReadByThemselves() throws {
    let file = try GGUFFile(contentsOf: Fixtures.url("gguf/qwen2/model.gguf"))
    for tensor in file.tensors {
      let whole = try file.floats(of: tensor)
      #expect(whole.count == tensor.count)
      let parts = try stride(from: 0, to: tensor.rowCount, by: 7).flatMap { start in
        try file.floats(of: tensor, rows: start..<min(start + 7, tensor.rowCount))
      }
      #expect(parts == whole, "\(tensor.name)")
    }
  }
}
