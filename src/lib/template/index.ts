export { type Shape, Struct, shape, typed } from './struct.ts';
export { compileTemplate, type Template, type TemplateOptions } from './template.ts';
