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
    let broadcast = Broadcast(a.shape, b.shape, operation: "*")
    return make(broadcast.shape, inputs: [a, b]) { result in
      broadcast.forEach(a.base, b.base) { i, x, y in result[i] = x * y }
    } pullback: { gradient, cotangents in
      cotangents.pass(gradient, a, b, over: broadcast, to: .left) { g, _, y in g * y }
      cotangents.pass(gradient, a, b, over: broadcast, to: .right) { g, x, _ in g * x }
    }
  }

  /// `a / b`, element by element; shapes as for `+`.
  ///
  /// Division by 0 follows IEEE 754. The gradients are `g / b` and `-g a / b^2`.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    let broadcast = Broadcast(a.shape, b.shape, operation: "/")
    return make(broadcast.shape, inputs: [a, b]) { result in
      broadcast.forEach(a.base, b.base) { i, x, y in result[i] = x / y }
    } pullback: { gradient, cotangents in
      cotangents.pass(gradient, a, b, over: broadcast, to: .left) { g, _, y in g / y }
      cotangents.pass(gradient, a, b, over: broadcast, to: .right) { g, x, y in -g * (x / y) / y }
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
  let broadcast = Broadcast(a.shape, b.shape, operation: "minimum")
  return Tensor.make(broadcast.shape, inputs: [a, b]) { result in
    broadcast.forEach(a.base, b.base) { i, x, y in result[i] = x <= y || x.isNaN ? x : y }
  } pullback: { gradient, cotangents in
    cotangents.pass(gradient, a, b, over: broadcast, to: .left) { g, x, y in
      x <= y || x.isNaN ? g : 0
    }
    cotangents.pass(gradient, a, b, over: broadcast, to: .right) { g, x, y in
      x <= y || x.isNaN ? 0 : g
    }
  }
}

/// The larger of `a` and `b`, element by element; shapes as for `+`.
///
/// The gradient goes to the larger one, and to `a` where they are equal. A NaN on either side stays.
public func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
  let broadcast = Broadcast(a.shape, b.shape, operation: "maximum")
  return Tensor.make(broadcast.shape, inputs: [a, b]) { result in
    broadcast.forEach(a.base, b.base) { i, x, y in result[i] = x >= y || x.isNaN ? x : y }
  } pullback: { gradient, cotangents in
    cotangents.pass(gradient, a, b, over: broadcast, to: .left) { g, x, y in
      x >= y || x.isNaN ? g : 0
    }
    cotangents.pass(gradient, a, b, over: broadcast, to: .right) { g, x, y in
      x >= y || x.isNaN ? 0 : g
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

  /// Hands on `share(g, x, y)` to one of the operands, added up where it was repeated.
  ///
  /// Inlined, as a call per scalar would cost four times the arithmetic.
  @inline(__always)
  fileprivate mutating func pass(
    _ gradient: Tensor, _ a: Tensor, _ b: Tensor, over broadcast: Broadcast, to side: Side,
    _ share: (Float, Float, Float) -> Float
  ) {
    let (receiver, extent) = side == .left ? (a, broadcast.left) : (b, broadcast.right)
    guard receiver.requiresGradient else { return }
    let g = gradient.base
    let shares = Tensor.make(broadcast.shape) { result in
      broadcast.forEach(a.base, b.base) { i, x, y in result[i] = share(g[i], x, y) }
    }
    passSum(of: shares, over: broadcast, extent, to: receiver)
  }
}

/// One of the two operands of an operation.
private enum Side {
  case left, right
}
