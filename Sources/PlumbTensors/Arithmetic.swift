extension Tensor {
  /// `a + b`, element by element.
  ///
  /// The shapes are equal, or one of them is repeated to the other: [N] or [1, N] along the rows of
  /// [M, N], [M, 1] along its columns, a tensor of one number everywhere. So do `-`, `*` and `/`.
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    let broadcast = Broadcast(a.shape, b.shape, operation: "+")
    let (left, right) = (a.withoutValues, b.withoutValues)
    return make(broadcast.shape, inputs: [a, b]) { result in
      broadcast.forEach(a.base, b.base) { result[$0] = $1 + $2 }
    } pullback: { gradient, cotangents in
      cotangents.passSum(of: gradient, over: broadcast, broadcast.left, to: left)
      cotangents.passSum(of: gradient, over: broadcast, broadcast.right, to: right)
    }
  }

  /// `a - b`, element by element; shapes as for `+`.
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    let broadcast = Broadcast(a.shape, b.shape, operation: "-")
    let (left, right) = (a.withoutValues, b.withoutValues)
    return make(broadcast.shape, inputs: [a, b]) { result in
      broadcast.forEach(a.base, b.base) { result[$0] = $1 - $2 }
    } pullback: { gradient, cotangents in
      cotangents.passSum(of: gradient, over: broadcast, broadcast.left, to: left)
      guard right.requiresGradient else { return }
      cotangents.passSum(of: -gradient, over: broadcast, broadcast.right, to: right)
    }
  }

  /// `a * b`, element by element; shapes as for `+`.
  ///
  /// The gradients are `g * b` and `g * a`.
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    elementwise(a, b, "*") { x, y in
      x * y
    } left: { g, _, y in
      g * y
    } right: { g, x, _ in
      g * x
    }
  }

  /// `a / b`, element by element; shapes as for `+`.
  ///
  /// Division by 0 follows IEEE 754. The gradients are `g / b` and `-g a / b^2`.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    elementwise(a, b, "/") { x, y in
      x / y
    } left: { g, _, y in
      g / y
    } right: { g, x, y in
      -g * (x / y) / y
    }
  }

  /// The tensor repeated to `shape`, by the rule of `+`; the gradient is added up again.
  public func broadcast(to shape: Shape) -> Tensor {
    let result = Broadcast(shape, self.shape, operation: "broadcast(to:)").shape
    precondition(
      result == shape, "broadcast(to:): expected a shape that fits \(shape), found \(self.shape)")
    return self.shape == shape ? self : .zeros(shape) + self
  }
}

/// The smaller of `a` and `b`, element by element; shapes as for `+`.
///
/// The gradient goes to the smaller one, and to `a` where they are equal. A NaN on either side stays.
public func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
  elementwise(a, b, "minimum") { x, y in
    x <= y || x.isNaN ? x : y
  } left: { g, x, y in
    x <= y || x.isNaN ? g : 0
  } right: { g, x, y in
    x <= y || x.isNaN ? 0 : g
  }
}

/// The larger of `a` and `b`, element by element; shapes as for `+`.
///
/// The gradient goes to the larger one, and to `a` where they are equal. A NaN on either side stays.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
  elementwise(a, b, "maximum") { x, y in
    x >= y || x.isNaN ? x : y
  } left: { g, x, y in
    x >= y || x.isNaN ? g : 0
  } right: { g, x, y in
    x >= y || x.isNaN ? 0 : g
  }
}

/// An operation of two operands from its value and its two gradients, each of (g, x, y).
@inline(__always)
private func elementwise(
  _ a: Tensor, _ b: Tensor, _ operation: String, value: (Float, Float) -> Float,
  left: @escaping @Sendable (Float, Float, Float) -> Float,
  right: @escaping @Sendable (Float, Float, Float) -> Float
) -> Tensor {
  let broadcast = Broadcast(a.shape, b.shape, operation: operation)
  return Tensor.make(broadcast.shape, inputs: [a, b]) { result in
    broadcast.forEach(a.base, b.base) { result[$0] = value($1, $2) }
  } pullback: { gradient, cotangents in
    if a.requiresGradient {
      cotangents.passProduct(gradient, a, b, over: broadcast, broadcast.left, to: a, left)
    }
    if b.requiresGradient {
      cotangents.passProduct(gradient, a, b, over: broadcast, broadcast.right, to: b, right)
    }
  }
}

extension Tensor {
  /// The place in the graph without the values: what a pullback keeps that only hands a gradient on.
  var withoutValues: Tensor { Tensor(shape: shape, storage: .empty, node: node) }
}

extension Storage {
  /// Shared by all tensors without values.
  fileprivate static let empty = Storage(count: 0)
}

extension Cotangents {
  /// Hands on a gradient of the result's shape, added up where `receiver` was repeated.
  fileprivate mutating func passSum(
    of gradient: Tensor, over broadcast: Broadcast, _ extent: Broadcast.Extent, to receiver: Tensor
  ) {
    if extent == .full {
      pass(gradient, to: receiver)
    } else {
      accumulate(into: receiver) { total, isFresh in
        broadcast.reduce(gradient.base, to: extent, into: total, isFresh: isFresh)
      }
    }
  }

  /// Hands on `share(g, x, y)`, added up where `receiver` was repeated.
  @inline(__always)
  fileprivate mutating func passProduct(
    _ gradient: Tensor, _ a: Tensor, _ b: Tensor, over broadcast: Broadcast,
    _ extent: Broadcast.Extent, to receiver: Tensor, _ share: (Float, Float, Float) -> Float
  ) {
    let g = gradient.base
    if extent == .full {
      accumulate(into: receiver) { total, isFresh in
        broadcast.forEach(a.base, b.base) {
          total[$0] = (isFresh ? 0 : total[$0]) + share(g[$0], $1, $2)
        }
      }
    } else {
      let shares = Tensor.make(broadcast.shape) { result in
        broadcast.forEach(a.base, b.base) { result[$0] = share(g[$0], $1, $2) }
      }
      passSum(of: shares, over: broadcast, extent, to: receiver)
    }
  }
}
