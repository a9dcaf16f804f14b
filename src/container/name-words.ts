/** Our own choice of words. */
export const adjectives: readonly string[] =
  `able agile airy amber ample apt azure balmy bold brave breezy bright brisk calm candid careful cheerful clear
   clever cosy crisp curious dapper daring deft eager early earnest easy even fair fearless fleet fluent fond frank
   free fresh gentle gifted glad golden graceful grand green happy hardy hearty honest humble jolly jovial keen kind
   lasting lively loyal lucid lucky lunar mellow merry mighty mild modest neat nimble noble open patient placid plucky
   polite prime proud quick quiet radiant ready robust rosy rapid serene sharp silver sincere smooth snug solar solid
   sound spry stable steady stellar still sturdy subtle sunny supple sure swift tender tidy tranquil trusty upbeat
   valiant vivid warm wise witty zesty`
    .trim()
    .split(/\s+/);

/** Surnames of scientists, engineers and mathematicians. */
export const surnames: readonly string[] =
  `abel adams agnesi alhazen ampere anning archimedes arrhenius avogadro babbage backus banach banneker bardeen
   becquerel bell bernoulli berzelius bessel blackwell bohr boltzmann boole born bose boyle brahe brahmagupta bunsen
   burnell cannon cantor carnot carson carver cauchy cavendish celsius cerf chandra chandrasekhar cherenkov church
   clarke colden cori coulomb cray crick curie cuvier dalton darwin davy debye dedekind descartes dijkstra diophantus
   diesel dirac doppler drew easley eddington edison ehrlich einstein elion engelbart erdos erlang euclid euler
   faraday fermat fermi feynman fibonacci fischer fisher fleming fourier franklin fresnel galileo galois galton galvani
   gauss germain gibbs goddard godel goeppert goodall gould grothendieck haber hahn haldane halley hamilton hamming
   hardy harvey hawking heaviside heisenberg helmholtz henry herschel hertz hilbert hipparchus hodgkin hollerith hooke
   hopper hoyle hubble huygens hypatia ibnsina jackson jacobi jenner johnson joliot joule kapitza kepler kelvin
   khayyam khorana kirchhoff knuth koch kolmogorov kovalevskaya lagrange lamarr lamarck landau laplace lavoisier
   leavitt leeuwenhoek leibniz lamport linnaeus lister lorentz lovelace lyell mach marconi margulis maxwell mayer
   mcclintock mccarthy mendel mendeleev mercator meitner michelson minkowski mirzakhani mitchell moore morse napier
   nash neumann newton nightingale nobel noether ohm oppenheimer ostwald pascal pasteur pauli pauling pavlov payne
   perlman planck poincare poisson priestley ptolemy pythagoras ramanujan raman rayleigh ride riemann ritchie roentgen
   rubin russell rutherford sagan salk sanger schrodinger shannon shockley snow somerville stokes strutt swan tesla
   thales thompson thomson torricelli turing volta wallace watt weber wegener weierstrass wiles wilkes wilson wing
   wozniak wright wu yalow yonath young yukawa zeeman zuse`
    .trim()
    .split(/\s+/);
