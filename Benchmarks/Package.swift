// swift-tools-version: 6.2
import PackageDescription

/// A package of its own, so that nothing here reaches the users of Plumb.
let package = Package(
  name: "plumb-benchmarks",
  dependencies: [
    .package(name: "plumb", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .executableTarget(
      name: "plumb-bench",
      dependencies: [
        .product(name: "Plumb", package: "plumb"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/PlumbBench",
      swiftSettings: [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
      ])
  ]
)
