/// The low-rank terms of one matrix product: `y[:, part] += scale (x down_part^T) up_part^T`.
public struct LowRankTerms: Sendable {
  /// The columns of the product that one term adds to.
  public struct Part: Sendable {
    /// [O, R].
    public let up: Tensor
    /// The first of the O columns.
    public let column: Int

    /// A term for O columns from `column` on.
    public init(up: Tensor, column: Int) {
      self.up = up
      self.column = column
    }
  }

  /// The `down` matrices of all parts, one above the other, [sum of R, I].
  public let down: Tensor
  /// The parts in the order of their rows in `down`.
  public let parts: [Part]
  /// Multiplies every term.
  public let scale: Float

  /// Terms of one product.
  public init(down: Tensor, parts: [Part], scale: Float) {
    self.down = down
    self.parts = parts
    self.scale = scale
  }
}

/// `x weight^T + bias` with low-rank terms added to ranges of its columns.
///
/// The terms are added where the product lies. The inputs of all parts are one product, [N, sum of
/// R], which is all that is kept for the gradient beside `x` (or how to make it again).
/// - Parameters:
///   - x: [N, I].
///   - weight: [O, I], or [I, O] where `isTransposed`.
///   - bias: [O].
///   - isTransposed: whether the weight lies [I, O], as GPT-2's Conv1D stores it.
///   - terms: parts within the O columns.
/// - Returns: [N, O].
public func lowRankLinear(
  _ x: Tensor, weight: Tensor, bias: Tensor? = nil, isTransposed: Bool = false,
  terms: LowRankTerms
) -> Tensor {
  guard isTransposed else {
    return adding(terms, of: x, to: linear(x, weight: weight, bias: bias))
  }
  let product = matmul(x, weight)
  return adding(terms, of: x, to: bias.map { product + $0 } ?? product)
}

/// Adds the terms in the memory of `product`, which must be fresh and read by no pullback.
private func adding(_ terms: LowRankTerms, of x: Tensor, to product: Tensor) -> Tensor {
  let (rows, inner, outer) = (x.shape[0], x.shape[1], product.shape[1])
  let down = terms.down
  precondition(
    down.shape.rank == 2 && down.shape[1] == inner,
    "lowRankLinear: expected down [R, \(inner)], found \(down.shape)")
  let ranks = terms.parts.map { $0.up.shape.rank == 2 ? $0.up.shape[1] : 0 }
  let total = ranks.reduce(0, +)
  precondition(
    total == down.shape[0] && !ranks.contains(0)
      && terms.parts.allSatisfy { $0.column >= 0 && $0.column + $0.up.shape[0] <= outer },
    "lowRankLinear: expected parts within \(outer) columns whose ranks add up to "
      + "\(down.shape[0]), found \(terms.parts.map { "\($0.up.shape) from \($0.column)" })")
  let places = terms.parts.indices.map { ranks[..<$0].reduce(0, +) }

  let reduced = linear(x.detached, weight: down.detached)
  for (part, place) in zip(terms.parts, places) {
    let (outputs, rank) = (part.up.shape[0], part.up.shape[1])
    multiply(
      MatrixView(reduced.base + place, rows, rank, stride: total),
      MatrixView(part.up.base, outputs, rank).transposed,
      into: product.storage.base + product.offset + part.column, stride: outer,
      alpha: terms.scale, beta: 1)
  }
  let (receiver, source, kept) = (product.withoutValues, x.withoutValues, KeptTensor(x))
  let node = Node.recorded(
    product.shape, inputs: [product, x, down] + terms.parts.map(\.up)
  ) { gradient, cotangents in
    let dReduced = Storage(count: rows * total)
    defer { withExtendedLifetime(dReduced) {} }
    for (part, place) in zip(terms.parts, places) {
      let (outputs, rank) = (part.up.shape[0], part.up.shape[1])
      let g = MatrixView(gradient.base + part.column, rows, outputs, stride: outer)
      multiply(
        g, MatrixView(part.up.base, outputs, rank), into: dReduced.base + place, stride: total,
        alpha: terms.scale)
      cotangents.accumulate(into: part.up) { dUp, isFresh in
        dUp.withBase {
          multiply(
            g.transposed, MatrixView(reduced.base + place, rows, rank, stride: total), into: $0,
            stride: rank, alpha: terms.scale, beta: isFresh ? 0 : 1)
        }
      }
    }
    let d = MatrixView(dReduced.base, rows, total)
    cotangents.accumulate(into: down) { dDown, isFresh in
      let x = kept.values
      defer { withExtendedLifetime(x) {} }
      dDown.withBase {
        multiply(
          d.transposed, MatrixView(x.base, rows, inner), into: $0, stride: inner,
          beta: isFresh ? 0 : 1)
      }
    }
    cotangents.accumulate(into: source) { dx, isFresh in
      dx.withBase {
        multiply(
          d, MatrixView(down.base, total, inner), into: $0, stride: inner, beta: isFresh ? 0 : 1)
      }
    }
    cotangents.pass(gradient, to: receiver)
  }
  return Tensor(
    shape: product.shape, storage: product.storage, offset: product.offset, node: node)
}
