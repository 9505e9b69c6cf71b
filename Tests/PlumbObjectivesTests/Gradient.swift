import Foundation
import PlumbTensors

/// The gradient of a loss that is known to reach a variable.
func gradient(_ loss: Tensor, _ variable: Tensor) -> [Float] {
  Gradients(of: loss)[variable]?.scalars ?? []
}

let logOf2: Float = log(2)
let logOf3: Float = log(3)
/// `−log σ(log 3) = −log ¾`.
let surpriseOfThreeQuarters: Float = -log(0.75)
