import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// One causal language model of the golden cases: a checkpoint and what PyTorch computes with it.
struct GoldenCase {
  let name: String
  let model: CausalLM
  let expected: SafetensorsFile
  /// Right-padded ids [B, T] and the real lengths.
  let rows: [[Int32]]
  let padded: Int

  static let names = ["qwen2", "llama", "qwen3", "gpt2"]

  /// `Tests/Fixtures/golden`, or another folder of cases made by `make_golden.py` with another seed.
  static var root: URL {
    ProcessInfo.processInfo.environment["PLUMB_GOLDEN_CASES"].map {
      URL(filePath: $0, directoryHint: .isDirectory)
    } ?? Fixtures.url("golden")
  }

  init(_ name: String) throws {
    self.name = name
    let folder = Self.root.appending(path: name)
    model = try CausalLM(directory: folder)
    expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
    let ids = try expected.integers(named: "input_ids")
    let mask = try expected.integers(named: "attention_mask")
    let columns = try #require(expected.shape(of: "input_ids")?.last)
    padded = columns
    rows = stride(from: 0, to: ids.count, by: columns).map { start in
      let length = mask[start..<start + columns].reduce(0, +)
      return ids[start..<start + length].map(Int32.init)
    }
  }

  /// All rows end to end.
  var tokens: [Int32] { rows.flatMap { $0 } }
  var layout: PackedLayout { PackedLayout(lengths: rows.map(\.count)) }

  /// Every token but the first of each row, with the packed row it is predicted from.
  var predictions: (rows: [Int], targets: [Int32]) {
    var from: [Int] = []
    var targets: [Int32] = []
    for (row, segment) in zip(rows, layout.segments) {
      from += segment.start..<segment.start + segment.count - 1
      targets += row.dropFirst()
    }
    return (from, targets)
  }

  /// The real positions of an expected tensor [B, T - shift, …], packed.
  func packed(_ name: String, shift: Int = 0) throws -> [Float] {
    let values = try expected.floats(named: name)
    let columns = padded - shift
    let width = values.count / (rows.count * columns)
    return rows.indices.flatMap { row in
      let start = row * columns * width
      return values[start..<start + (rows[row].count - shift) * width]
    }
  }
}

/// Checks a gradient against a reference: the distance in the Euclidean norm, relative to the norm of
/// the reference, is at most `tolerance`, and no element is further off than `tolerance` of the
/// largest.
///
/// Where the true gradient is zero (a key bias shifts all scores of a query alike, and softmax does
/// not see it) the reference is rounding noise; `noise` is the size below which nothing is relative.
func gradientError(_ found: [Float], _ expected: [Float], noise: Double) -> Double {
  var (difference, norm, furthest, largest) = (0.0, 0.0, 0.0, 0.0)
  for (f, e) in zip(found, expected) {
    let distance = abs(Double(f) - Double(e))
    difference += distance * distance
    norm += Double(e) * Double(e)
    furthest = max(furthest, distance.isNaN ? .infinity : distance)
    largest = max(largest, abs(Double(e)))
  }
  return max(
    difference.squareRoot() / max(norm.squareRoot(), noise), furthest / max(largest, noise))
}
