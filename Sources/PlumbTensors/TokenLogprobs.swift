import CKernels
import Synchronization

/// The log-probability of one token at each chosen row, straight from hidden states.
///
/// `log softmax(hidden[rows] weight^T / temperature)[targets]`. The logits exist once: the gradient
/// overwrites them. More than 64 MB of them are made in chunks, and again in backward.
/// - Parameters:
///   - hidden: [N, D].
///   - weight: [V, D], the output head.
///   - rows: [M], each in `0..<N`; row i predicts token i + 1 of a sequence.
///   - targets: [M], the tokens, each in `0..<V`.
///   - temperature: divides the logits.
///   - withEntropy: whether to compute entropies.
/// - Returns: log-probabilities [M], and the entropies of the distributions in nats, [M] or empty,
///   which carry no gradient.
public func tokenLogprobs(
  hidden: Tensor, weight: Tensor, rows: [Int], targets: [Int32], temperature: Float = 1,
  withEntropy: Bool = false
) -> (logprobs: Tensor, entropies: [Float]) {
  let head = TokenHead(
    hidden: hidden, weight: weight, rows: rows, targets: targets, temperature: temperature)
  return head.logprobs(withEntropy: withEntropy)
}

/// The same with entropies that carry a gradient, for a loss that reads them.
///
/// - Returns: log-probabilities [M] and the entropies of the distributions in nats [M].
public func tokenLogprobsAndEntropies(
  hidden: Tensor, weight: Tensor, rows: [Int], targets: [Int32], temperature: Float = 1
) -> (logprobs: Tensor, entropies: Tensor) {
  let both = TokenHead(
    hidden: hidden, weight: weight, rows: rows, targets: targets, temperature: temperature
  ).logprobsAndEntropies()
  let count = rows.count
  return (both.elements(at: Array(0..<count)), both.elements(at: Array(count..<2 * count)))
}

/// The operands of one call, and the logits kept for its gradient.
private struct TokenHead: Sendable {
  let hidden: Tensor
  let weight: Tensor
  let rows: [Int]
  let targets: [Int32]
  let temperature: Float
  let width: Int
  let vocabulary: Int
  let isWhole: Bool  // rows are 0..<N: hidden needs no gathering
  let chunkRows: Int

  init(hidden: Tensor, weight: Tensor, rows: [Int], targets: [Int32], temperature: Float) {
    precondition(
      hidden.shape.rank == 2 && weight.shape.rank == 2 && hidden.shape[1] == weight.shape[1],
      "tokenLogprobs: expected [N, D] and [V, D], found \(hidden.shape) and \(weight.shape)")
    precondition(
      rows.count == targets.count,
      "tokenLogprobs: expected one target per row, found \(rows.count) and \(targets.count)")
    precondition(temperature > 0, "tokenLogprobs: expected a temperature above 0")
    let (count, vocabulary) = (hidden.shape[0], weight.shape[0])
    for (row, target) in zip(rows, targets) {
      precondition(
        row >= 0 && row < count, "tokenLogprobs: expected a row in 0..<\(count), found \(row)")
      precondition(
        target >= 0 && Int(target) < vocabulary,
        "tokenLogprobs: expected a target in 0..<\(vocabulary), found \(target)")
    }
    self.hidden = hidden
    self.weight = weight
    self.rows = rows
    self.targets = targets
    self.temperature = temperature
    self.vocabulary = vocabulary
    width = hidden.shape[1]
    isWhole = rows.count == count && rows.enumerated().allSatisfy { $0 == $1 }
    chunkRows = max(1, (64 << 20) / (4 * max(1, vocabulary)))
  }

  func logprobs(withEntropy: Bool) -> (logprobs: Tensor, entropies: [Float]) {
    let logsumexps = Storage(count: rows.count)
    var entropies = [Float](repeating: 0, count: withEntropy ? rows.count : 0)
    let kept = KeptLogits()
    let result = Tensor.make([rows.count], inputs: [hidden, weight]) { result in
      guard let logprobs = result.baseAddress else { return }
      entropies.withUnsafeMutableBufferPointer { entropies in
        fill(logprobs, withEntropy ? entropies.baseAddress : nil, logsumexps, kept)
      }
    } pullback: { gradient, cotangents in
      backward(gradient, logsumexps, nil, kept, &cotangents)
    }
    return (result, entropies)
  }

  /// Log-probabilities and entropies end to end, [2M].
  func logprobsAndEntropies() -> Tensor {
    let logsumexps = Storage(count: rows.count)
    let entropies = Storage(count: rows.count)
    let kept = KeptLogits()
    return Tensor.make([2 * rows.count], inputs: [hidden, weight]) { result in
      guard let logprobs = result.baseAddress else { return }
      fill(logprobs, entropies.base, logsumexps, kept)
      (logprobs + rows.count).update(from: entropies.base, count: rows.count)
    } pullback: { gradient, cotangents in
      backward(gradient, logsumexps, entropies, kept, &cotangents)
    }
  }

  private func fill(
    _ logprobs: UnsafeMutablePointer<Float>, _ entropies: UnsafeMutablePointer<Float>?,
    _ logsumexps: Storage, _ kept: KeptLogits
  ) {
    // Without a gradient nothing is kept, and 4 MB stay in the cache.
    let isRecorded = hidden.requiresGradient || weight.requiresGradient
    let step = isRecorded ? chunkRows : max(64, (4 << 20) / (4 * max(1, vocabulary)))
    for start in stride(from: 0, to: rows.count, by: step) {
      let chunk = start..<min(rows.count, start + step)
      let logits = computeLogits(chunk, gathered(chunk))
      defer { withExtendedLifetime(logits) {} }
      eachRow(of: chunk, logits) { range, logits, targets in
        let at = start + range.lowerBound
        plumb_token_logprobs(
          range.count, vocabulary, logits, targets, logprobs + at, logsumexps.base + at,
          entropies.map { $0 + at })
      }
      if isRecorded && rows.count <= chunkRows { kept.put(logits) }
    }
  }

  /// - Parameters:
  ///   - gradient: [M], or [2M] with that of the entropies.
  ///   - entropies: [M] where they carry a gradient.
  private func backward(
    _ gradient: Tensor, _ logsumexps: Storage, _ entropies: Storage?, _ kept: KeptLogits,
    _ cotangents: inout Cotangents
  ) {
    var dHidden = cotangents.open(hidden)
    var dWeight = cotangents.open(weight)
    var isFirst = true
    if let dHidden, dHidden.isFresh, !isWhole { dHidden.buffer.update(repeating: 0) }
    for start in stride(from: 0, to: rows.count, by: chunkRows) {
      let chunk = start..<min(rows.count, start + chunkRows)
      let input = gathered(chunk)
      // A second run through the same graph finds the logits used up.
      let logits = kept.take() ?? computeLogits(chunk, input)
      defer { withExtendedLifetime((input, logits)) {} }
      eachRow(of: chunk, logits) { range, logits, targets in
        let at = start + range.lowerBound
        if let entropies {
          plumb_token_entropy_backward(
            range.count, vocabulary, logits, targets, logsumexps.base + at, entropies.base + at,
            gradient.base + at, gradient.base + rows.count + at)
        } else {
          plumb_token_logprobs_backward(
            range.count, vocabulary, logits, targets, logsumexps.base + at, gradient.base + at)
        }
      }
      let dLogits = MatrixView(logits.base, chunk.count, vocabulary)
      if let dWeight {
        multiply(
          dLogits.transposed, MatrixView(input.base, chunk.count, width), into: dWeight.base(at: 0),
          stride: width, alpha: 1 / temperature, beta: dWeight.isFresh && isFirst ? 0 : 1)
      }
      if let dHidden { addHiddenGradient(dLogits, chunk, to: dHidden) }
      isFirst = false
    }
    if rows.isEmpty, let dWeight, dWeight.isFresh { dWeight.buffer.update(repeating: 0) }
    cotangents.close(&dHidden)
    cotangents.close(&dWeight)
  }

  private func addHiddenGradient(
    _ dLogits: MatrixView, _ chunk: Range<Int>, to dHidden: Cotangents.Share
  ) {
    let head = MatrixView(weight.base, vocabulary, width)
    if isWhole {
      multiply(
        dLogits, head, into: dHidden.base(at: chunk.lowerBound * width), stride: width,
        alpha: 1 / temperature, beta: dHidden.isFresh ? 0 : 1)
      return
    }
    let part = Storage(count: chunk.count * width)
    defer { withExtendedLifetime(part) {} }
    multiply(dLogits, head, into: part.base, stride: width, alpha: 1 / temperature)
    for (i, row) in rows[chunk].enumerated() {
      plumb_add(width, part.base + i * width, dHidden.base(at: row * width))
    }
  }

  /// The hidden states at some of the rows: [chunk, D].
  private func gathered(_ chunk: Range<Int>) -> Tensor {
    if isWhole {
      return Tensor(
        shape: [chunk.count, width], storage: hidden.storage,
        offset: hidden.offset + chunk.lowerBound * width)
    }
    return Tensor.make([chunk.count, width]) { result in
      result.withBase { target in
        for (i, row) in rows[chunk].enumerated() {
          (target + i * width).update(from: hidden.base + row * width, count: width)
        }
      }
    }
  }

  private func computeLogits(_ chunk: Range<Int>, _ input: Tensor) -> Storage {
    let logits = Storage(count: chunk.count * vocabulary)
    multiply(
      MatrixView(input.base, chunk.count, width),
      MatrixView(weight.base, vocabulary, width).transposed, into: logits.base,
      stride: vocabulary, alpha: 1 / temperature)
    return logits
  }

  /// Calls `body` for parts of a chunk on all threads: the range within the chunk, logits, targets.
  private func eachRow(
    of chunk: Range<Int>, _ logits: Storage,
    _ body: (Range<Int>, UnsafeMutablePointer<Float>, UnsafePointer<Int32>) -> Void
  ) {
    targets.withUnsafeBufferPointer { targets in
      guard let target = targets.baseAddress else { return }
      Threads.split(chunk.count, grain: max(1, 4_096 / vocabulary)) { range in
        body(
          range, logits.base + range.lowerBound * vocabulary,
          target + chunk.lowerBound + range.lowerBound)
      }
    }
  }
}

/// The logits of a forward pass, for the first backward pass to overwrite.
private final class KeptLogits: Sendable {
  private let storage = Mutex<Storage?>(nil)

  func put(_ logits: Storage) { storage.withLock { $0 = logits } }

  func take() -> Storage? {
    storage.withLock { storage in
      defer { storage = nil }
      return storage
    }
  }
}
