export { Struct } from './struct.ts';
export { compileTemplate, type Template, type TemplateOptions } from './template.ts';
export { Time } from './times.ts';
export { type Shape, shape, typed } from './typed.ts';
