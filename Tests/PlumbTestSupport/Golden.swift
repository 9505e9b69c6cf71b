import Foundation
import PlumbCheckpoints
public import PlumbTensors

/// A file of reference numbers under `Tests/Fixtures/golden`, see the README there.
public struct Golden {
  private let file: SafetensorsFile

  /// Opens `golden/<name>.safetensors`.
  public init(_ name: String) throws {
    file = try SafetensorsFile(contentsOf: Fixtures.url("golden/\(name).safetensors"))
  }

  /// The names of the tensors, sorted.
  public var names: [String] { file.names }

  /// The numbers of a tensor, row-major.
  public func floats(_ name: String) throws -> [Float] { try file.floats(named: name) }

  /// The numbers of an integer tensor, row-major.
  public func integers(_ name: String) throws -> [Int] { try file.integers(named: name) }

  /// The extents of a tensor, empty if there is none of the name.
  public func extents(_ name: String) -> [Int] { file.shape(of: name) ?? [] }

  /// A tensor without a gradient.
  public func tensor(_ name: String) throws -> Tensor {
    Tensor(try floats(name), shape: Shape(extents(name)))
  }

  /// A tensor whose gradient `Gradients` keeps.
  public func variable(_ name: String) throws -> Tensor {
    Tensor.variable(try floats(name), shape: Shape(extents(name)))
  }

  /// `golden/<name>.json`, decoded.
  public static func json<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: Fixtures.url("golden/\(name).json")))
  }
}
