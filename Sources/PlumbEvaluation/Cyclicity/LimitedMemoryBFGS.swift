/// Minimises a smooth function with the L-BFGS method (Nocedal 1980), ten pairs, Armijo line search.
///
/// - Parameters:
///   - start: where to begin.
///   - tolerance: stops where no partial derivative is larger.
///   - maximumSteps: bounds the work.
///   - function: value and gradient.
/// - Returns: the lowest point found and its value.
func limitedMemoryBFGS(
  from start: [Double], tolerance: Double = 1e-8, maximumSteps: Int = 500,
  _ function: ([Double]) -> (value: Double, gradient: [Double])
) -> (point: [Double], value: Double) {
  func dot(_ x: [Double], _ y: [Double]) -> Double {
    var sum = 0.0
    for index in x.indices { sum += x[index] * y[index] }
    return sum
  }
  var x = start
  var (value, gradient) = function(x)
  var pairs: [(s: [Double], y: [Double], rho: Double)] = []
  for _ in 0..<maximumSteps where gradient.contains(where: { abs($0) > tolerance }) {
    var direction = gradient.map { -$0 }
    var alphas: [Double] = []
    for pair in pairs.reversed() {
      let alpha = pair.rho * dot(pair.s, direction)
      alphas.append(alpha)
      for index in x.indices { direction[index] -= alpha * pair.y[index] }
    }
    if let last = pairs.last {
      let scale = 1 / (last.rho * dot(last.y, last.y))
      for index in x.indices { direction[index] *= scale }
    } else {
      // The first step has no curvature to go by; it is made no longer than 1.
      let scale = min(1, 1 / dot(gradient, gradient).squareRoot())
      for index in x.indices { direction[index] *= scale }
    }
    for (pair, alpha) in zip(pairs, alphas.reversed()) {
      let beta = pair.rho * dot(pair.y, direction)
      for index in x.indices { direction[index] += (alpha - beta) * pair.s[index] }
    }
    let slope = dot(gradient, direction)
    guard slope < 0 else { break }
    var step = 1.0
    var next = x
    var found = (value: value, gradient: gradient)
    var accepted = false
    for _ in 0..<40 {
      for index in x.indices { next[index] = x[index] + step * direction[index] }
      found = function(next)
      if found.value <= value + 1e-4 * step * slope {
        accepted = true
        break
      }
      step /= 2
    }
    guard accepted else { break }
    let s = zip(next, x).map { $0 - $1 }
    let y = zip(found.gradient, gradient).map { $0 - $1 }
    let curvature = dot(s, y)
    if curvature > 1e-12 * dot(y, y) {
      pairs.append((s, y, 1 / curvature))
      if pairs.count > 10 { pairs.removeFirst() }
    }
    (x, value, gradient) = (next, found.value, found.gradient)
  }
  return (x, value)
}
