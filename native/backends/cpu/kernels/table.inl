// Fills a KernelTable with the templates of one instruction set. Included inside its namespace, after the other *.inl.

template <class T, Activation A>
void add_activation(KernelTable& table, int dtype) {
  const int a = static_cast<int>(A);
  table.apply[dtype][a] = apply<A, T>;
  table.slope_reduce[dtype][a] = slope_reduce<A, T>;
  table.slope_apply[dtype][a] = slope_apply<A, T>;
  table.bias_slope[dtype][a] = bias_slope<A, T>;
}

template <class T, int... A>
void add_activations(KernelTable& table, int dtype, std::integer_sequence<int, A...>) {
  (add_activation<T, static_cast<Activation>(A)>(table, dtype), ...);
}

template <class T>
void add_type(KernelTable& table, int dtype) {
  add_activations<T>(table, dtype, std::make_integer_sequence<int, kActivations>());
  table.statistics[dtype] = statistics<T>;
  table.copy[dtype][dtype] = copy<T, T>;
  table.multiply[dtype] = multiply<T>;
  table.sum_products[dtype] = sum_products<T>;
  table.spread[dtype] = spread<T>;
  table.max_pool[dtype] = max_pool<T>;
  table.max_pool_backward[dtype] = max_pool_backward<T>;
  table.upsample_row[dtype] = upsample_row<T>;
  table.upsample_row_backward[dtype] = upsample_row_backward<T>;
  table.import_block[dtype] = import_block<T>;
  table.export_block[dtype] = export_block<T>;
}

inline KernelTable float_table(const char* name) {
  KernelTable table{};
  table.block = kLanes;
  table.name = name;
  add_type<float>(table, 0);
  table.transpose_blocks = transpose_blocks;
  table.sgd = sgd;
  table.average = average;
  return table;
}
