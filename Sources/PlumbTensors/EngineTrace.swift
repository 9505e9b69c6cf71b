import CKernels
import Synchronization

/// What the engine did while it was watched: every matrix product, and how often memory was taken.
///
/// Off unless asked for; then each hook costs one relaxed load. Watch one computation at a time: the
/// whole process is seen, whatever thread it runs on.
///
/// ```swift
/// let (_, trace) = EngineTrace.record { step() }
/// print(trace.counts.flops, trace.replay().seconds)
/// ```
public struct EngineTrace: Sendable {
  /// The products in the order in which they began.
  public internal(set) var products: [TracedProduct] = []
  private var allocations = 0
  private var freshAllocations = 0
  private var freshBytes = 0
  private var largestAllocation = 0
  private var parallelRegions = 0

  /// What was counted.
  public var counts: EngineCounts {
    var counts = EngineCounts()
    for product in products {
      switch product.kind {
      case .divided: counts.dividedProducts += 1
      case .tile: counts.tileProducts += 1
      case .skinny: counts.skinnyProducts += 1
      case .packed: counts.packedProducts += 1
      }
      counts.flops += product.flops
      if product.kind != .tile { counts.linearFlops += product.flops }
    }
    counts.allocations = allocations
    counts.freshAllocations = freshAllocations
    counts.freshBytes = freshBytes
    counts.largestAllocation = largestAllocation
    counts.parallelRegions = parallelRegions
    return counts
  }

  /// Runs `body` and returns what the engine did meanwhile.
  ///
  /// Traps if a recording is under way.
  public static func record<R>(_ body: () throws -> R) rethrows -> (result: R, trace: EngineTrace) {
    precondition(!isOn.load(ordering: .relaxed), "EngineTrace: expected one recording at a time")
    log.withLock { $0 = EngineTrace() }
    let regions = plumb_region_count()
    isOn.store(true, ordering: .sequentiallyConsistent)
    defer { isOn.store(false, ordering: .sequentiallyConsistent) }
    let result = try body()
    let trace = log.withLock { log in
      defer { log = EngineTrace() }
      log.parallelRegions = Int(plumb_region_count() - regions)
      return log
    }
    return (result, trace)
  }

  private static let isOn = Atomic<Bool>(false)
  private static let log = Mutex(EngineTrace())
}

/// How often the engine did what costs time; equal for equal work on an equal number of threads.
public struct EngineCounts: Hashable, Codable, Sendable {
  /// Matrix products that are divided over the threads.
  public var dividedProducts = 0
  /// Products of attention's tiles, each on one thread.
  public var tileProducts = 0
  /// Products of few rows with a weight, by our own kernel.
  public var skinnyProducts = 0
  /// Products of a decoding pass with packed weights.
  public var packedProducts = 0
  /// Floating-point operations of all products, 2mnk each.
  public var flops = 0
  /// Those of them that are not in attention's tiles.
  public var linearFlops = 0
  /// Buffers taken from the pool.
  public var allocations = 0
  /// Those of them for which the pool had to ask the system.
  public var freshAllocations = 0
  /// The bytes of the fresh ones.
  public var freshBytes = 0
  /// The bytes of the largest buffer taken, as the pool rounds them up.
  public var largestAllocation = 0
  /// Times that work was handed to the other threads.
  public var parallelRegions = 0

  /// Nothing done.
  public init() {}
}

/// One matrix product: [rows, inner] by [inner, columns].
public struct TracedProduct: Hashable, Sendable {
  /// Which path computed it.
  public enum Kind: String, Hashable, Sendable {
    /// Divided over the threads.
    case divided
    /// On the thread that asked, as attention does for its tiles.
    case tile
    /// Few rows with a weight, read as it lies.
    case skinny
    /// Rows of a decoding pass with a packed weight.
    case packed
  }

  /// Which path computed it.
  public let kind: Kind
  /// Rows of the result.
  public let rows: Int
  /// Columns of the result.
  public let columns: Int
  /// The extent that is summed over.
  public let inner: Int
  /// Whether the result was added to what was there.
  public let accumulates: Bool
  let left: Operand
  let right: Operand
  let result: Operand
  /// The parallel region that it ran in, and the chunk of it, below 0 outside of any.
  let region: Int
  let chunk: Int

  /// Floating-point operations, 2mnk.
  public var flops: Int { 2 * rows * columns * inner }

  /// A matrix as it lay in memory.
  struct Operand: Hashable, Sendable {
    let address: UInt
    let stride: Int
    let isTransposed: Bool
    /// Bytes from the first scalar to behind the last one.
    let bytes: Int

    init(_ view: MatrixView) {
      address = UInt(bitPattern: view.base)
      stride = view.stride
      isTransposed = view.isTransposed
      let (rows, columns) =
        view.isTransposed ? (view.columns, view.rows) : (view.rows, view.columns)
      bytes = max(0, ((rows - 1) * view.stride + columns) * MemoryLayout<Float>.size)
    }

    /// A packed weight, panel after panel.
    init(panels: UnsafePointer<Float>, count: Int, inner: Int) {
      self.init(MatrixView(panels, count * Int(PLUMB_PANEL), inner))
    }
  }
}

extension EngineTrace {
  /// Notes `c = a b`, or `c += a b`, before it is computed.
  @inline(__always)
  static func note(
    _ kind: TracedProduct.Kind, _ a: MatrixView, _ b: MatrixView,
    into c: UnsafePointer<Float>, stride: Int, beta: Float = 0
  ) {
    if isOn.load(ordering: .relaxed) { append(kind, a, b, c, stride, beta) }
  }

  /// Notes the products of a decoding pass, before they are computed.
  @inline(__always)
  static func note(_ decoder: plumb_decoder, _ pass: plumb_decoding_pass) {
    if isOn.load(ordering: .relaxed) { append(decoder, pass) }
  }

  @inline(never)
  private static func append(_ decoder: plumb_decoder, _ pass: plumb_decoding_pass) {
    func append(
      _ rows: Int, _ x: UnsafePointer<Float>?, _ weight: plumb_packed,
      _ y: UnsafeMutablePointer<Float>?
    ) {
      guard let x, let y, let panels = weight.panels, rows > 0 else { return }
      // Gates and ups are two products in one; the replay stores both.
      let columns = weight.is_gated ? 2 * weight.outer : weight.outer
      let product = TracedProduct(
        kind: .packed, rows: rows, columns: columns, inner: weight.inner, accumulates: false,
        left: TracedProduct.Operand(MatrixView(x, rows, weight.inner)),
        right: TracedProduct.Operand(
          panels: panels, count: plumb_panel_count(weight.outer, weight.is_gated),
          inner: weight.inner),
        result: TracedProduct.Operand(MatrixView(y, rows, columns)),
        region: Int(plumb_region_count()), chunk: -1)
      log.withLock { $0.products.append(product) }
    }
    for layer in UnsafeBufferPointer(start: decoder.layers, count: decoder.layer_count) {
      append(pass.rows, pass.normed, layer.query_key_value, pass.query_key_value)
      append(pass.rows, pass.attended, layer.output, pass.x)
      append(pass.rows, pass.normed, layer.up, pass.inner)
      append(pass.rows, pass.inner, layer.down, pass.x)
    }
    append(pass.logit_rows, pass.normed, decoder.head, pass.logits)
  }

  /// Notes that the pool gave out a buffer.
  @inline(__always)
  static func noteAllocation(bytes: Int, isFresh: Bool) {
    guard isOn.load(ordering: .relaxed) else { return }
    log.withLock { log in
      log.allocations += 1
      log.largestAllocation = max(log.largestAllocation, bytes)
      if isFresh {
        log.freshAllocations += 1
        log.freshBytes += bytes
      }
    }
  }

  @inline(never)
  private static func append(
    _ kind: TracedProduct.Kind, _ a: MatrixView, _ b: MatrixView, _ c: UnsafePointer<Float>,
    _ stride: Int, _ beta: Float
  ) {
    let product = TracedProduct(
      kind: kind, rows: a.rows, columns: b.columns, inner: a.columns, accumulates: beta != 0,
      left: TracedProduct.Operand(a), right: TracedProduct.Operand(b),
      result: TracedProduct.Operand(MatrixView(c, a.rows, b.columns, stride: stride)),
      region: Int(plumb_region_count()), chunk: Int(plumb_current_chunk()))
    log.withLock { $0.products.append(product) }
  }
}
