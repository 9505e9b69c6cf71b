import CKernels

/// How long the matrix products of a trace take alone.
public struct ProductReplay: Hashable, Sendable {
  /// All products but those of attention's tiles, in seconds.
  public var linearSeconds = 0.0
  /// Products of attention's tiles, in seconds.
  public var tileSeconds = 0.0

  /// All products, in seconds.
  public var seconds: Double { linearSeconds + tileSeconds }
}

extension EngineTrace {
  /// Computes every product of the trace again, with nothing in between, and times it.
  ///
  /// Same shapes, strides, transpositions, order and division over the threads; and the same places
  /// relative to each other, in memory of the replay's own, so that operands are as warm or as cold
  /// as they were. Products of one parallel region are run as one region again, chunk by chunk; those
  /// of decoding passes too, each thread with its panels.
  public func replay() -> ProductReplay {
    let memory = ReplayMemory(products)
    var replay = ProductReplay()
    let clock = ContinuousClock()
    var index = 0
    while index < products.count {
      let first = products[index]
      if first.kind == .packed {
        let end = products[index...].firstIndex { $0.kind != .packed } ?? products.count
        let passes = products[index..<end]
        replay.linearSeconds +=
          clock.measure {
            let threads = Threads.count
            Threads.each(threads) { thread in
              for product in passes { memory.run(product, part: thread, of: threads) }
            }
          }.seconds
        index = end
        continue
      }
      if first.chunk < 0 {
        let time = clock.measure { memory.run(first) }
        if first.kind == .tile {
          replay.tileSeconds += time.seconds
        } else {
          replay.linearSeconds += time.seconds
        }
        index += 1
        continue
      }
      var end = index
      while end < products.count, products[end].chunk >= 0, products[end].region == first.region {
        end += 1
      }
      let region = products[index..<end]
      var chunks = [[TracedProduct]](
        repeating: [], count: 1 + (region.lazy.map(\.chunk).max() ?? 0))
      for product in region { chunks[product.chunk].append(product) }
      replay.tileSeconds +=
        clock.measure {
          Threads.each(chunks.count) { chunk in
            for product in chunks[chunk] { memory.run(product) }
          }
        }.seconds
      index = end
    }
    return replay
  }
}

/// Memory in which the operands of a trace lie as they lay in the process, without the gaps.
///
/// All scalars are 1, and products are scaled so that most stay 1: no denormal number slows them.
private struct ReplayMemory {
  private static let page: UInt = 4096
  /// Disjoint pages that were touched, by address, and where each run of them lies now.
  private var runs: [(address: UInt, end: UInt, offset: UInt)] = []
  private let storage: Storage

  init(_ products: [TracedProduct]) {
    var total: UInt = 0
    for (start, end) in Self.pages(of: products) {
      if let last = runs.last, start <= last.end {
        let extended = Swift.max(end, last.end)
        total += extended - last.end
        runs[runs.count - 1].end = extended
      } else {
        runs.append((start, end, total))
        total += end - start
      }
    }
    // One page more, so that the start can be moved to the beginning of a page.
    storage = Storage(count: Int(total + Self.page) / MemoryLayout<Float>.size)
    storage.buffer.update(repeating: 1)
  }

  /// First and last page of every operand, by address.
  private static func pages(of products: [TracedProduct]) -> [(start: UInt, end: UInt)] {
    var pages: [(start: UInt, end: UInt)] = []
    for product in products {
      for operand in [product.left, product.right, product.result] where operand.bytes > 0 {
        let end = operand.address + UInt(operand.bytes) + page - 1
        pages.append((operand.address & ~(page - 1), end & ~(page - 1)))
      }
    }
    return pages.sorted { $0.start < $1.start }
  }

  /// Where an operand of the trace lies now.
  fileprivate func pointer(_ operand: TracedProduct.Operand) -> UnsafeMutablePointer<Float> {
    var (low, high) = (0, runs.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle].address <= operand.address { low = middle } else { high = middle }
    }
    let start = UInt(bitPattern: storage.base)
    let aligned = (start + Self.page - 1) & ~(Self.page - 1)
    let bytes = Int(aligned - start + runs[low].offset + operand.address - runs[low].address)
    return storage.base + bytes / MemoryLayout<Float>.size
  }

  private func view(_ operand: TracedProduct.Operand, _ rows: Int, _ columns: Int) -> MatrixView {
    if operand.isTransposed {
      return MatrixView(pointer(operand), columns, rows, stride: operand.stride).transposed
    }
    return MatrixView(pointer(operand), rows, columns, stride: operand.stride)
  }

  func run(_ product: TracedProduct) {
    let left = view(product.left, product.rows, product.inner)
    let right = view(product.right, product.inner, product.columns)
    let result = pointer(product.result)
    let (stride, alpha) = (product.result.stride, 1 / Float(max(1, product.inner)))
    let beta: Float = product.accumulates ? 1 : 0
    switch product.kind {
    case .packed: run(product, part: 0, of: 1)
    case .divided: multiply(left, right, into: result, stride: stride, alpha: alpha, beta: beta)
    case .tile: multiplyHere(left, right, into: result, stride: stride, alpha: alpha, beta: beta)
    case .skinny:
      skinnyLinear(
        rows: product.rows, inner: product.inner, outer: product.columns, left.base, right.base,
        into: result)
    }
  }
}

extension ReplayMemory {
  /// The panels of a packed product that one of the threads computes.
  fileprivate func run(_ product: TracedProduct, part: Int, of parts: Int) {
    let panels = plumb_panel_count(product.columns, false)
    let (first, end) = (panels * part / parts, panels * (part + 1) / parts)
    guard first < end else { return }
    var weight = plumb_packed(
      panels: pointer(product.right), bias: nil, inner: product.inner, outer: product.columns,
      is_gated: false)
    plumb_packed_linear(
      product.rows, pointer(product.left), product.left.stride, &weight, first, end - first,
      PLUMB_STORE, pointer(product.result), product.result.stride)
  }
}

extension Duration {
  /// The duration in seconds.
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
