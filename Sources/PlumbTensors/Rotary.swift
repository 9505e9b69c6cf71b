import CKernels
import Glibc
import Synchronization

/// Rotary position embedding in the convention of Hugging Face's `rotate_half`.
///
/// Su et al. 2021. Component i of a head turns against component i + hd / 2 by the angle position / base^(2 i / hd),
/// computed in Float32 as transformers does.
/// - Parameters:
///   - x: [N, heads * hd].
///   - positions: [N], from 0.
///   - headDimension: hd, even.
///   - base: `rope_theta` of the configuration.
public func rotary(
  _ x: Tensor, positions: [Int32], headDimension: Int, base: Float
) -> Tensor {
  precondition(
    x.shape.rank == 2 && headDimension > 0 && headDimension % 2 == 0
      && x.shape[1] % headDimension == 0,
    "rotary: expected [N, heads * \(headDimension)] with an even head, found \(x.shape)")
  let (rows, width) = (x.shape[0], x.shape[1])
  precondition(
    positions.count == rows && positions.allSatisfy { $0 >= 0 },
    "rotary: expected \(rows) positions from 0, found \(positions.count)")
  let table = RotaryTable.covering(
    Int(positions.max() ?? 0) + 1, headDimension: headDimension, base: base)
  let turn: @Sendable (Tensor, UnsafeMutablePointer<Float>, Float, Bool) -> Void = {
    source, target, direction, isFresh in
    positions.withUnsafeBufferPointer { positions in
      guard let places = positions.baseAddress else { return }
      Threads.split(rows, grain: rowGrain(width)) { range in
        let start = range.lowerBound * width
        plumb_rotary(
          range.count, width / headDimension, headDimension, source.base + start,
          places + range.lowerBound, table.cosines.base, table.sines.base, direction, isFresh,
          target + start)
      }
    }
  }
  let receiver = x.withoutValues
  return Tensor.make(x.shape, inputs: [x]) { result in
    result.withBase { turn(x, $0, 1, true) }
  } pullback: { gradient, cotangents in
    cotangents.accumulate(into: receiver) { dx, isFresh in
      dx.withBase { turn(gradient, $0, -1, isFresh) }
    }
  }
}

/// Cosines and sines of all angles up to some position: [positions, hd / 2] each.
struct RotaryTable: Sendable {
  struct Key: Hashable {
    let headDimension: Int
    let base: Float
  }

  let positions: Int
  let cosines: Storage
  let sines: Storage

  /// Sines cost more than the rotation itself, so tables are kept for the life of the process.
  private static let known = Mutex<[Key: RotaryTable]>([:])

  static func covering(_ positions: Int, headDimension: Int, base: Float) -> RotaryTable {
    known.withLock { known in
      let key = Key(headDimension: headDimension, base: base)
      if let table = known[key], table.positions >= positions { return table }
      var capacity = 256
      while capacity < positions { capacity *= 2 }
      let table = RotaryTable(positions: capacity, headDimension: headDimension, base: base)
      known[key] = table
      return table
    }
  }

  init(positions: Int, headDimension: Int, base: Float) {
    let half = headDimension / 2
    self.positions = positions
    cosines = Storage(count: positions * half)
    sines = Storage(count: positions * half)
    for i in 0..<half {
      let frequency = 1 / powf(base, Float(2 * i) / Float(headDimension))
      for position in 0..<positions {
        let angle = Float(position) * frequency
        cosines.base[position * half + i] = cosf(angle)
        sines.base[position * half + i] = sinf(angle)
      }
    }
  }
}
